"""Commands of several processes, started as people start them and stopped in the middle: no
process and no temporary file is left, and the same command goes on."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import data_folder
import kills
import psutil
import pytest
import workbook_toys

from tin_lib.runner.workbook import state

pytestmark = pytest.mark.slow
PATIENCE = 180  # seconds; a loaded machine is slow
TIN = [sys.executable, "-m", "tin_lib"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
SMALL = ["--recipe", "quick", "--device", "cpu", "--set", "width=0.1", "--classes", "3"]
SMALL += ["--per-class", "24"]
LONG = """import os, pathlib, time
(pathlib.Path(run) / "pid").write_text(str(os.getpid()))
time.sleep(600)"""


class Job:
    """A command in a session of its own, whose temporary files are in a folder of their own."""

    def __init__(self, command: list[Any], folder: Path):
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.output = folder / "output.txt"
        own = {"TMPDIR": str(self.temporary), "TIN_BATCH": "1", "OMP_NUM_THREADS": "1"}
        own |= {"PYTHONUNBUFFERED": "1"}
        with open(self.output, "w") as file:
            self.process = subprocess.Popen(
                list(map(str, command)),
                stdout=file,
                stderr=subprocess.STDOUT,
                env=os.environ | own,
                start_new_session=True,
            )

    def wait_for(self, what: Callable[[], Any]) -> Any:
        """What ``what`` returns once that is true."""
        end = time.monotonic() + PATIENCE
        while not (found := what()):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.02)
        return found

    def children(self) -> list[psutil.Process]:
        """All processes below it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: int, group: bool = False) -> None:
        """Send the signal, to the whole group if asked; assert that all its processes end."""
        children = self.children()
        (os.killpg if group else os.kill)(self.process.pid, number)
        self.process.wait(PATIENCE)
        _, alive = psutil.wait_procs(children, timeout=PATIENCE)
        assert not alive, f"still running: {[process.cmdline() for process in alive]}"

    def said(self) -> str:
        """What it has printed."""
        return self.output.read_text("utf-8", "replace")

    def left(self) -> list[str]:
        """Its own temporary files that are there, without those of other libraries."""
        return [path.name for path in self.temporary.glob("tin-*")]


@contextlib.contextmanager
def started(command: list[Any], folder: Path) -> Iterator[Job]:
    """The job; killed with all its processes if a test fails before."""
    job = Job(command, folder)
    try:
        yield job
    finally:
        if job.process.poll() is None:
            for child in job.children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            job.process.kill()
            job.process.wait()


def test_a_killed_training_ends_as_an_uninterrupted_one(tmp_path: Path, fault: Callable) -> None:
    """Real processes, and those of the other tests, which fork, give the same files."""
    folder, whole = tmp_path / "out", tmp_path / "whole"
    small = [*SMALL, "--set", "epochs=12"]
    with fault("killed", "python -m tin_lib train") as tried, kills.commands() as commands:
        answer = commands.run(["train", "vgg_like", *small, "--out", whole / "fit"], whole)
        assert answer["status"] == 0, answer["output"]
        command = [*TIN, "train", "vgg_like", *small, "--out", folder / "fit"]
        with started(command, tmp_path) as job:
            job.wait_for((folder / "fit" / "history.jsonl").is_file)
            job.stop(signal.SIGKILL)
        again = subprocess.run(
            list(map(str, command)),
            env=os.environ | {"OMP_NUM_THREADS": "1", "TIN_BATCH": "1"},
            capture_output=True,
            text=True,
        )
        assert again.returncode == 0, again.stderr
        kills.compare(kills.content(folder), kills.content(whole), "train, killed and resumed")
        tried.lost = kills.lost(job.said(), again.stdout)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_sweep(number: signal.Signals, tmp_path: Path, fault: Callable) -> None:
    out = tmp_path / "sweep"
    command = [*TIN, "sweep", "vgg_like", *SMALL, "--set", "epochs=5000", "--out", out]
    kind = "killed" if number == signal.SIGKILL else "interrupted"
    with (
        fault(kind, f"sweep --jobs 2, {number.name}"),
        started([*command, "--jobs", "2", "--grid", "seed=0,1,2"], tmp_path) as job,
    ):
        job.wait_for(lambda: len(list(out.glob("*/history.jsonl"))) == 2)
        job.stop(number)
        assert not (out / "seed=2").exists()  # no other fit begins
        assert not job.left(), f"temporary files of tin sweep remain: {job.left()}"
        if number == signal.SIGTERM:
            assert job.process.returncode == 128 + number, job.said()
            assert "run the same command again to resume" in job.said()
            assert not list(out.glob(".stop*"))


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name
)
def test_run(number: signal.Signals, tmp_path: Path, fault: Callable) -> None:
    """A workbook in the middle of a notebook: its kernel ends, too."""
    folder, run = tmp_path / "notebooks", tmp_path / "run"
    workbook_toys.write_workbook(folder, {"01_long": {}})
    workbook_toys.write_notebook(folder / "01_long.ipynb", LONG)
    kind = "killed" if number == signal.SIGKILL else "interrupted"
    with (
        fault(kind, f"run, {number.name} in a notebook") as tried,
        started([*TIN, "run", "--workbook", folder, "--run", run], tmp_path) as job,
    ):
        job.wait_for(lambda: (run / "pid").is_file() and (run / "pid").read_text())
        job.stop(number)
        assert not job.left(), f"temporary files of tin run remain: {job.left()}"
        assert not list((run / "steps").glob("stop-*"))
        assert state.read(run, "01_long")["status"] == state.STARTED
        if number != signal.SIGKILL:
            assert job.process.returncode == 128 + number, job.said()
            assert "run the same command again to resume" in job.said()
            assert "Traceback" not in job.said()
        tried.lost = "one notebook"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_torchrun(number: signal.Signals, tmp_path: Path, fault: Callable) -> None:
    """A batch system's notice reaches torchrun, which ends the processes that train."""
    out = tmp_path / "fit"
    command = [*TORCHRUN, "-m", "tin_lib", "train", "vgg_like", *SMALL, "--out", out]
    with (
        fault("interrupted", f"train under torchrun, {number.name}") as tried,
        started([*command, "--set", "epochs=5000"], tmp_path) as job,
    ):
        job.wait_for((out / "history.jsonl").is_file)
        job.stop(number)
        assert job.process.returncode, job.said()
        assert "command again to resume" in job.said(), job.said()
        assert (out / "checkpoint.pt").is_file()
        tried.lost = "less than one epoch"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_pack_in_several_processes(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable
) -> None:
    """SIGTERM to all processes, as Slurm sends it; SIGKILL to the first alone."""
    data = many_images(tmp_path / "data")
    monkeypatch.setenv("TIN_CACHE", str(tmp_path / "cache"))
    kind = "killed" if number == signal.SIGKILL else "interrupted"
    with fault(kind, f"pack in several processes, {number.name}"):
        with started([*TIN, "pack", data], tmp_path) as job:
            job.wait_for(job.children)
            job.stop(number, group=number != signal.SIGKILL)
        if number != signal.SIGKILL:
            assert job.process.returncode == 128 + number, job.said()
            assert "run the same command again" in job.said(), job.said()
        again = subprocess.run([*TIN, "pack", str(data)], capture_output=True, text=True)
        assert again.returncode == 0, again.stderr
        assert not list((tmp_path / "cache").rglob("tmp-*"))


def many_images(root: Path) -> Path:
    """Data with enough images for several processes: links to one image."""
    data_folder.write_folder(root)
    for folder in sorted((root / "train").iterdir()):
        first = folder / "images" / f"{folder.name}_0.JPEG"
        for number in range(data_folder.TRAIN, 1800):
            os.link(first, first.with_name(f"{folder.name}_{number}.JPEG"))
        boxes = [f"{folder.name}_{number}.JPEG\t0\t1\t9\t9\n" for number in range(1800)]
        (folder / f"{folder.name}_boxes.txt").write_text("".join(boxes))
    return root


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_browse(number: signal.Signals, trained_run: Path, tmp_path: Path, fault: Callable) -> None:
    """The server ends with the kernel of an open page; to be stopped is its usual end."""
    run = shutil.copytree(trained_run, tmp_path / "run")
    kind = "killed" if number == signal.SIGKILL else "interrupted"
    with (
        fault(kind, f"browse, {number.name}"),
        started([*TIN, "browse", run, "--no-open"], tmp_path) as job,
    ):
        job.wait_for(lambda: "Press Ctrl-C" in job.said())
        address = job.said().splitlines()[0]

        def page() -> Any:
            with contextlib.suppress(OSError):
                return urlopen(address, timeout=PATIENCE)

        with job.wait_for(page):
            job.wait_for(job.children)
            job.stop(number)
        if number == signal.SIGTERM:
            assert job.process.returncode == 0, job.said()
            assert not job.left(), f"temporary files of tin browse remain: {job.left()}"
