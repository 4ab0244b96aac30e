"""A fit in several processes of this machine, started from anywhere: a notebook, a script.

torchrun is a subprocess. ``torch.distributed.launcher.api.elastic_launch`` would run inside this
process, but it replaces this process's signal handlers, its children outlive a killed notebook, and
what they print does not reach a notebook's cell.
"""

import collections
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import torch

from tin_lib.data import TinyImageNet, open_data
from tin_lib.process import end_with_parent, start_child, thread_environment, usable_cores
from tin_lib.progress import say
from tin_lib.recipes import Recipe
from tin_lib.train import distributed
from tin_lib.train.checkpoint import finished, report_other_code
from tin_lib.train.distributed import LOST, choose_device
from tin_lib.train.fit import fit

SHOWN = 25  # lines of output that an error shows if no process reported one
ERROR = "tin: "  # prefix of the line in which a process reports its error
GRACE = 40  # seconds for torchrun to end its processes; it gives them 30


def fit_apart(
    recipe: Recipe, data: TinyImageNet, folder: Path, processes: int, device: str, quiet: bool
) -> None:
    """``fit`` in several processes of this machine, unless it is finished.

    Raises ValueError for a number that the machine does not have, and for data made in memory.
    """
    on_gpus = choose_device(device).type == "cuda"
    most = torch.cuda.device_count() if on_gpus else len(usable_cores())
    if not isinstance(processes, int) or not 1 <= processes <= most:
        raise ValueError(
            f"processes={processes!r}: must be from 1 to {most}, the "
            f"{'GPUs' if on_gpus else 'cores'} that this process may use"
        )
    if finished(folder, recipe, data):
        report_other_code(folder)
        return
    if not data.request:
        raise ValueError(f"processes={processes}: other processes need data from open_data")
    request = {"recipe": recipe.to_dict(), "data": data.request, "out": str(folder)}
    launch(request | {"device": device}, processes, quiet)


def launch(request: dict[str, Any], processes: int, quiet: bool) -> None:
    """Run ``fit(**request)`` under torchrun with ``processes`` processes; print what they print.

    ``request`` holds JSON values; each process opens the data itself. An interrupt ends them all.
    Raises ChildProcessError, with the cause, when they fail.
    """
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    launcher += ["-m", "tin_lib.train.launcher"]
    with start_child(launcher, request, environment(processes), subprocess.PIPE) as job:
        try:
            cause = follow(job, quiet)
        except BaseException:
            end(job)
            raise
    if job.returncode:
        raise ChildProcessError(
            f"the {processes} processes of the fit {request['out']} ended early; its checkpoints "
            f"are kept. Their output:\n{cause}"
        )


def environment(processes: int) -> dict[str, str]:
    """This process's environment, with its CPU threads divided among ``processes``."""
    return os.environ | thread_environment(max(1, torch.get_num_threads() // processes))


def follow(job: subprocess.Popen, quiet: bool) -> str:
    """Print the job's lines as they come, up to an error; returns the cause, or the last lines."""
    last: collections.deque[str] = collections.deque(maxlen=SHOWN)
    errors: list[str] = []
    for line in job.stdout or ():
        last.append(line)
        if line.startswith(ERROR):
            errors.append(line.removeprefix(ERROR))
        elif not quiet and not errors:  # after an error torchrun reports at length
            say(line, end="")
    job.wait()
    causes = [line for line in errors if LOST not in line]  # the others only noticed
    return "".join(causes or errors or last)


def end(job: subprocess.Popen) -> None:
    """Ask torchrun to end its processes and wait; if it does not, close their standard input."""
    job.terminate()
    try:
        job.wait(GRACE)
    except subprocess.TimeoutExpired:
        job.kill()
        if job.stdin:
            job.stdin.close()


def main(request: dict[str, Any]) -> int:
    """One of the processes: take part in the fit; 1 after an error, reported in one line."""
    end_with_parent()
    try:
        recipe, data = Recipe.from_dict(request["recipe"]), open_data(**request["data"])
        fit(recipe, data, request["out"], device=request["device"])
        distributed.leave()
    except Exception as error:  # whatever it is: the other processes report only a lost one
        if not isinstance(error, (ValueError, OSError, ArithmeticError)):
            traceback.print_exc()
        reason = " ".join(str(error).splitlines()) or type(error).__name__
        sys.stdout.write(f"{ERROR}{reason}\n")  # in one call: others write to the same pipe
        sys.stdout.flush()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
