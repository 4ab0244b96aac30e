"""Killing commands at chosen moments, cheaply: a process that has imported everything forks one
child for each command.

As a script it is that process: it reads a JSON request a line and answers each with one line. A
child counts its file operations in the folder ``within`` (opening to write, renaming, removing,
making folders), and kills itself before the one of number ``at``: so the moments around a write,
which random times rarely hit, are tried too. With ``after`` it is killed by a timer instead.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OPERATIONS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
VOLATILE = ("seconds", "images_per_second", "started", "written", "id", "key")
VOLATILE += ("command", "files")  # temporary paths of a worker; digests of files with times
VOLATILE += ("header_digest", "digest", "the results of the notebooks that it needs")  # likewise
VARYING = ("*.ipynb", "*.html", "*.log", "*lock")  # hold times; their figures are in other files
AGAIN = "--- the cell again"
LEFTOVERS = ("*.tmp", "tmp-*", "*.part", "*.holder")


class Commands:
    """The process that forks; ``run`` returns a command's exit status, -9 when it was killed."""

    def __init__(self, environment: dict[str, str]):
        variables = os.environ | {"OMP_NUM_THREADS": "1", "TIN_BATCH": "1"} | environment
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=variables,
            text=True,
        )

    def run(self, arguments: list[Any], within: Path, **moment: Any) -> dict[str, Any]:
        """Run ``tin ARGUMENTS``; the answer has status, operations (if it ended) and output."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        request = {"arguments": list(map(str, arguments)), "within": str(within)} | moment
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def cell(self, cell: str, within: Path, at: int = 0) -> dict[str, Any]:
        """Run a notebook's cell; interrupted at operation ``at``, it runs again in its kernel."""
        return self.run([], within, cell=cell, at=at, number=signal.SIGINT)

    def close(self) -> None:
        """End the process."""
        self.process.communicate(timeout=60)


@contextmanager
def commands(**environment: str) -> Iterator[Commands]:
    """The process, for as long as the block lasts."""
    process = Commands(environment)
    try:
        yield process
    finally:
        process.close()


def killed_and_resumed(
    commands: Commands,
    arguments: list[Any],
    folder: Path,
    fault: Callable,
    kills: int,
    *,
    prepare: Callable[[], None] = lambda: None,
    seed: int = 0,
    number: signal.Signals = signal.SIGKILL,
) -> list[dict[str, Any]]:
    """Kill ``tin ARGUMENTS``, which writes into ``folder``, at ``kills`` seeded moments; after each
    the same command must end and leave what an uninterrupted one leaves.

    ``prepare`` makes what the command starts from in the empty ``folder``. ``number``: the signal;
    any but SIGKILL must end the command cleanly, with advice. Returns the answers of
    the commands that resumed, each with the killed one's answer under ``killed``.
    """
    verb = arguments[0]

    def fresh() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        prepare()

    fresh()
    whole = commands.run(arguments, folder)
    assert whole["status"] == 0, whole["output"]
    expected = content(folder)
    assert expected, f"tin {verb} left nothing in {folder}"
    moments = random.Random(seed).sample(
        range(1, whole["operations"] + 1), min(kills, whole["operations"])
    )
    answers = []
    for moment in sorted(moments):
        fresh()
        killed = commands.run(arguments, folder, at=moment, number=number)
        if killed["status"] == 0 and verb == "train":
            continue  # it saves less often where saving takes longer
        kind = "killed" if number == signal.SIGKILL else "interrupted"
        with fault(kind, f"{verb}, {number.name} before file operation {moment}") as tried:
            check_end(killed, number, f"{verb}, {number.name} before operation {moment}")
            again = commands.run(arguments, folder)
            assert again["status"] == 0, f"{verb} after a kill at {moment}:\n{again['output']}"
            compare(content(folder), expected, f"{verb} killed before operation {moment}")
            answers.append(again | {"killed": killed})
            tried.lost = lost(killed["output"], again["output"])
    assert len(answers) > len(moments) // 2, f"{verb} ended before most kills"
    return answers


def check_end(answer: dict[str, Any], number: signal.Signals, what: str) -> None:
    """Assert that the signal ended a command: SIGKILL at once, others with one line of advice."""
    if number == signal.SIGKILL:
        assert answer["status"] == -number, f"{what}: {answer}"
        return
    assert answer["status"] == 128 + number, (
        f"{what}: status {answer['status']}\n{answer['output']}"
    )
    assert "Traceback" not in answer["output"], f"{what}:\n{answer['output']}"
    said = [line for line in answer["output"].splitlines() if line.startswith("tin: ")]
    assert len(said) == 1, f"{what}:\n{answer['output']}"
    assert "run the " in said[0], f"{what}: {said}"
    assert "again" in said[0], f"{what}: {said}"


def lost(before: str, after: str) -> str:
    """What a killed training did again: epochs whose line was printed, or a part of the next."""
    again = len(set(epochs(before)) & set(epochs(after)))
    if again:
        return f"{again} epoch{'s' if again > 1 else ''}"
    if epochs(after):
        return "less than one epoch"
    return "one notebook" if steps(after) else ""


def steps(output: str) -> list[str]:
    """Names of the notebooks that ran to their end."""
    lines = [line.split() for line in output.splitlines() if line.startswith("[")]
    return [words[1] for words in lines if words[2:3] == ["ok"]]


def epochs(output: str) -> list[int]:
    """Numbers of the epochs whose lines were printed."""
    lines = [line.split() for line in output.splitlines() if line.startswith("epoch ")]
    return [int(words[1].partition("/")[0]) for words in lines if "/" in words[1]]


def content(folder: Path) -> dict[str, Any]:
    """All files by path, without what differs from run to run: times, locks."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if any(path.match(pattern) for pattern in LEFTOVERS):
            found[name] = "left over"
        elif path.is_file() and not any(path.match(pattern) for pattern in VARYING):
            found[name] = stable(path)
    return found


def stable(path: Path) -> Any:
    """A file's content without times."""
    if path.suffix in (".json", ".jsonl"):
        return [without_times(json.loads(line)) for line in json_texts(path)]
    if path.suffix == ".csv":
        import pandas as pd

        table = pd.read_csv(path, dtype=str)
        return table.drop(columns=[c for c in table if c in VOLATILE]).to_csv(index=False)
    return path.read_bytes()


def json_texts(path: Path) -> list[str]:
    text = path.read_text("utf-8")
    return text.splitlines() if path.suffix == ".jsonl" else [text]


def without_times(value: Any) -> Any:
    """A JSON value without the fields of VOLATILE."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in VOLATILE}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def compare(found: dict[str, Any], expected: dict[str, Any], what: str) -> None:
    """Assert that two folders hold the same."""
    assert sorted(found) == sorted(expected), (
        f"{what}: only there {sorted(found.keys() - expected.keys())}, "
        f"missing {sorted(expected.keys() - found.keys())}"
    )
    other = [name for name in expected if found[name] != expected[name]]
    assert not other, f"{what}: other content in {other}"


def serve() -> None:
    """Fork a child for each request on standard input."""
    # What commands import when they need it: imported here, no child spends seconds on it.
    import captum.attr  # noqa: F401
    import nbconvert  # noqa: F401
    import torch
    import torch._dynamo
    from IPython.core import interactiveshell  # noqa: F401

    from tin_lib import __main__ as command
    from tin_lib import recipes, train  # noqa: F401
    from tin_lib.analysis import features, publishing, saliency, submission  # noqa: F401
    from tin_lib.data import images  # noqa: F401
    from tin_lib.lab import figures, widgets  # noqa: F401
    from tin_lib.runner import study  # noqa: F401
    from tin_lib.runner.jobs import sweep  # noqa: F401

    torch.set_num_threads(1)
    for line in sys.stdin:
        request = json.loads(line)
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.close(read)
            act(command.main, request, write)
        os.close(write)
        answer: dict[str, Any] = {"output": b""}
        with os.fdopen(read, "rb") as pipe:
            output = pipe.read().decode("utf-8", "replace")
        _, status = os.waitpid(child, 0)
        answer = {"status": os.waitstatus_to_exitcode(status), "output": output}
        head, mark, count = output.rpartition("operations ")
        if mark:
            answer |= {"output": head, "operations": int(count)}
        print(json.dumps(answer), flush=True)


def act(main: Callable, request: dict[str, Any], write: int) -> None:
    """The child: run the command, killed at its moment."""
    os.setsid()
    os.dup2(write, 1)
    os.dup2(write, 2)
    sys.stdout = sys.stderr = os.fdopen(write, "w", buffering=1)  # the old ones may be seekable
    count, within = 0, request["within"]

    def note(event: str, arguments: tuple) -> None:
        nonlocal count
        if event not in OPERATIONS or not str(arguments[0]).startswith(within):
            return
        if event == "open" and not arguments[2] & WRITES:
            return
        count += 1
        if count == request.get("at"):
            os.kill(os.getpid(), request.get("number", signal.SIGKILL))

    sys.addaudithook(note)
    if "after" in request:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, request["after"])
    os.close(0)
    status = 1
    try:
        status = run_cell(request) if "cell" in request else main(request["arguments"])
    except SystemExit as error:
        status = int(error.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        print(f"operations {count}", flush=True)
        os._exit(status)


def run_cell(request: dict[str, Any]) -> int:
    """Run a cell as a kernel does, again if it was interrupted; 0 if it ran to its end."""
    from IPython.core.interactiveshell import InteractiveShell

    signal.signal(signal.SIGINT, signal.default_int_handler)
    shell = InteractiveShell()
    result = shell.run_cell(request["cell"])
    if request["at"]:
        assert isinstance(result.error_in_exec, KeyboardInterrupt), "it was not interrupted"
        print(AGAIN, flush=True)
        result = shell.run_cell(request["cell"])
    return int(not result.success)


if __name__ == "__main__":
    serve()
