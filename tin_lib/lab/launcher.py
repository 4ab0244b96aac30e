"""Training in several processes of this machine, started by torchrun from a notebook.

``python -m tin_lib.lab.launcher REQUEST`` is one of these processes.
"""

import collections
import contextlib
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import torch

from tin_lib import runs, train
from tin_lib.data import TinyImageNet, open_data
from tin_lib.lab.process import end_process, end_with_parent, start_child, thread_environment
from tin_lib.process import usable_cores
from tin_lib.progress import Progress, say
from tin_lib.recipes import Recipe
from tin_lib.train import checkpoint, distributed
from tin_lib.train.fit import check

ERROR = "tin: "  # prefix of the line in which a process reports its error


def fit(
    recipe: Recipe,
    data: TinyImageNet,
    out: str | Path,
    *,
    device: str = "auto",
    progress: Progress | str | None = "auto",
    processes: int = 1,
) -> runs.Fit:
    """Train as ``train.fit`` does, in ``processes`` processes of this machine that torchrun starts.

    They share every batch, one process per GPU (on a CPU: at most one per core); each one's
    batchnorm statistics are those of its share. With one process, under torchrun and for a finished
    fit this is ``train.fit``. ``progress``: with several processes, None prints nothing and
    anything else prints their lines. Raises as ``train.fit``; with several processes also
    ValueError when ``processes`` is not from 1 to the number of GPUs (CPU cores) here or ``data``
    is not from ``open_data``, and ChildProcessError, with the cause, when one of them fails.
    """
    if processes != 1 and not distributed.launched():
        folder = Path(out).resolve()
        check(recipe, data, folder)
        try:
            if not checkpoint.holds(folder, recipe, data, *checkpoint.FINISHED):
                fit_apart(recipe, data, folder, processes, device, progress is None)
                return runs.open_fit(folder)
        except KeyboardInterrupt:
            raise train.Interrupted(checkpoint.saved_epochs(folder, recipe, data)) from None
    return train.fit(recipe, data, out, device=device, progress=progress)


def fit_apart(
    recipe: Recipe, data: TinyImageNet, folder: Path, processes: int, device: str, quiet: bool
) -> None:
    """Train in several processes of this machine. Raises as ``fit``; KeyboardInterrupt as it is."""
    on_gpus = distributed.choose_device(device).type == "cuda"
    most = torch.cuda.device_count() if on_gpus else len(usable_cores())
    if not isinstance(processes, int) or not 1 <= processes <= most:
        raise ValueError(
            f"processes={processes!r}: must be from 1 to {most}, the "
            f"{'GPUs' if on_gpus else 'cores'} that this process may use"
        )
    if not data.request:
        raise ValueError(f"processes={processes}: other processes need data from open_data")
    request = {"recipe": recipe.to_dict(), "data": data.request, "out": str(folder)}
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    launch(
        [*launcher, "-m", "tin_lib.lab.launcher"], request | {"device": device}, processes, quiet
    )


def launch(launcher: list[str], request: dict[str, Any], processes: int, quiet: bool) -> None:
    """Run the job until it ends; an interrupt ends all of its processes."""
    threads = thread_environment(max(1, torch.get_num_threads() // processes))
    # Not elastic_launch: it replaces signal handlers here, its children outlive a killed notebook,
    # and what they print does not reach a cell.
    with start_child(launcher, request, os.environ | threads, subprocess.PIPE) as job:
        try:
            cause = follow(job, quiet)
        except BaseException:
            job.terminate()  # torchrun ends its processes; else they end with their standard input
            with contextlib.suppress(subprocess.TimeoutExpired):
                job.wait(40)  # torchrun gives them 30 seconds
            job.kill()
            raise
    if job.returncode:
        raise ChildProcessError(
            f"the {processes} processes of the fit {request['out']} ended early; its checkpoints "
            f"are kept. Their output:\n{cause}"
        )


def follow(job: subprocess.Popen, quiet: bool) -> str:
    """Print the job's lines as they come, up to an error; returns the cause, or the last lines."""
    last: collections.deque[str] = collections.deque(maxlen=25)
    errors: list[str] = []
    for line in job.stdout or ():
        last.append(line)
        if line.startswith(ERROR):
            errors.append(line.removeprefix(ERROR))
        elif not quiet and not errors:  # after an error torchrun reports at length
            say(line, end="")
    job.wait()
    causes = [line for line in errors if distributed.LOST not in line]  # the others only noticed
    return "".join(causes or errors or last)


def main(request: dict[str, Any]) -> int:
    """Take part in the fit of ``request``, as one of its processes; 1 after a reported error."""
    end_with_parent()
    try:
        recipe, data = Recipe.from_dict(request["recipe"]), open_data(**request["data"])
        train.fit(recipe, data, request["out"], device=request["device"])
        distributed.leave()
    except Exception as error:  # whatever it is: the other processes report only a lost one
        if not isinstance(error, (ValueError, OSError, ArithmeticError)):
            traceback.print_exc()
        reason = " ".join(str(error).splitlines()) or type(error).__name__
        say(f"{ERROR}{reason}\n", end="")  # at once: others write to the same pipe
        return 1
    return 0


if __name__ == "__main__":
    end_process(main(json.loads(sys.argv[1])))
