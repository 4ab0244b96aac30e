"""One notebook in a separate process: ``python -m tin_lib.runner.workbook.step JOB RESULT``.

JOB is a JSON object, see ``Job``; RESULT is the file that takes the outcome. The process ends,
with its kernel, as soon as its standard input closes, that is when its parent process ends.
"""

import json
import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

from tin_lib import files
from tin_lib.lab.formatting import shorten
from tin_lib.lab.kernel import use_own_kernel
from tin_lib.lab.process import end_with_parent
from tin_lib.runner.jobs.executor import Task, remove_scratch, run_in_process
from tin_lib.runner.jobs.processes import kill_children

PACKAGES = ("torch", "torchvision", "numpy", "pandas", "plotly", "papermill")
KERNEL = {  # of a kernel whose output is saved in a notebook
    "PLOTLY_RENDERER": "plotly_mimetype",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "TQDM_DISABLE": "1",
}
STARTS = 3  # attempts to start a kernel
NOT_READY = "Kernel died before replying to kernel_info"  # jupyter_client's message


class Job(Task):
    """One step to run."""

    name: str
    notebook: str
    run: str  # the run's folder
    parameters: dict[str, Any]
    variables: dict[str, str]  # further environment variables


def run_step(job: Job) -> dict[str, Any]:
    """Run one notebook in a separate process.

    Returns ``error`` (None, or one message) and ``seconds``, with ``machine`` and ``versions`` if
    the kernel started.
    """
    return run_in_process("tin_lib.runner.workbook.step", job, job.get("variables"))


def main(job: dict[str, Any], result: Path) -> int:
    """Run the job, write its outcome, and return 0 if the notebook completed."""
    end_with_parent(lambda: abandon(result))
    use_own_kernel(result.parent)
    os.environ.update(KERNEL)
    error = execute(job)
    outcome = {"error": error, "machine": machine(), "versions": versions()}
    result.write_text(json.dumps(outcome), encoding="utf-8")
    return 0 if error is None else 1


def abandon(result: Path) -> None:
    """End the kernel, and remove the temporary folder that a killed parent cannot remove."""
    kill_children(os.getpid())
    remove_scratch(result)


def execute(job: dict[str, Any]) -> str | None:
    """Run the notebook; None, or one message with the cell and the error.

    The executed notebook is written after every cell, so that what ran before an error is kept.
    """
    from papermill.exceptions import PapermillExecutionError

    lock = Path(job["run"]) / "steps" / f".{job['name']}.lock"
    try:
        with files.only_one(lock, f"notebook {job['name']}"):
            run_papermill(job)
    except PapermillExecutionError as error:
        cause = one_line(f"{error.ename}: {error.evalue}")
        return describe(error.exec_count, error.source) + cause
    except Exception as error:  # any error is this notebook's failure, not the run's
        return f"{running_cell(Path(job['output']))}{one_line(f'{type(error).__name__}: {error}')}"
    return None


def run_papermill(job: dict[str, Any]) -> None:
    """Execute the notebook; a kernel that ended before it was ready is started again.

    Jupyter chooses free ports, and another process may take one before the kernel binds it.
    """
    for attempt in range(1, STARTS + 1):
        try:
            return run_once(job)
        except RuntimeError as error:
            if NOT_READY not in str(error) or attempt == STARTS:
                raise


def run_once(job: dict[str, Any]) -> None:
    """Execute the notebook in its run's folder; its output goes to this process's output, too."""
    import papermill

    papermill.execute_notebook(
        literal(job["notebook"]),
        literal(job["output"]),
        parameters=job["parameters"],
        kernel_name="python3",
        language="python",
        progress_bar=False,
        start_timeout=300,  # seconds; a loaded machine can take more than papermill's 60
        stdout_file=sys.stdout,
        stderr_file=sys.stderr,
        cwd=job["run"],
    )


def literal(path: str) -> str:
    """A path escaped for papermill, in whose path templates braces mean parameters."""
    return path.replace("{", "{{").replace("}", "}}")


def running_cell(output: Path) -> str:
    """``cell In [7] (first line): `` for the last cell started, if a kernel died; else empty."""
    try:
        cells = json.loads(output.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return ""
    # Papermill's own marks: a kernel can die before it has sent the number of the cell.
    started = [c for c in cells if c["cell_type"] == "code" and marks(c).get("start_time")]
    return describe(len(started), "".join(started[-1]["source"])) if started else ""


def marks(cell: dict[str, Any]) -> dict[str, Any]:
    """What papermill records of a cell: when it started, how it ended."""
    return cell.get("metadata", {}).get("papermill", {})


def describe(count: int, source: str) -> str:
    """``cell In [7] (first line): ``, the cell as its page shows it."""
    first_line = source.strip().partition("\n")[0]
    return f"cell In [{count}] ({one_line(first_line, 60)}): "


def one_line(text: str, length: int = 400) -> str:
    """Text on one line without terminal colours, at most ``length`` characters."""
    return shorten(" ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split()), length)


def machine() -> str:
    """The machine of the step: system, processor kind, number of cores."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute and draw, without importing them."""
    from importlib import metadata

    import tin_lib

    found = {"python": platform.python_version(), "tin_lib": tin_lib.__version__}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), Path(sys.argv[2])))
