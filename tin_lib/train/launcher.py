"""A fit in several processes of this machine, started from anywhere: a notebook, a script."""

import collections
import json
import os
import subprocess
import sys
from pathlib import Path

import torch

import tin_lib
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train.distributed import LOST

SHOWN = 25  # lines of their output that an error shows, where they told of none themselves
ERROR = "tin: "  # so begins the line in which a process tells why it ends
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # PyTorch asks MKL first
GRACE = 40  # seconds for torchrun to end its processes; it gives them 30


def launch(
    recipe: Recipe, data: TinyImageNet, out: Path, processes: int, device: str, quiet: bool
) -> None:
    """Run the fit under torchrun with ``processes`` processes, and print what they print.

    Each opens the data itself. An interrupt ends them all. Raises ValueError for data that was made
    in memory, and ChildProcessError, with the end of what they printed, when they fail.
    """
    if not data.request:
        raise ValueError(f"processes={processes}: other processes need data from open_data")
    fields = {"recipe": recipe.to_dict(), "data": data.request, "out": str(out), "device": device}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launcher, "--nproc-per-node", str(processes), "-m", "tin_lib.train.launched"]
    with subprocess.Popen(
        [*command, json.dumps(fields)],
        stdin=subprocess.PIPE,  # closed with this process, however that ends; they end with it
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(processes),
        start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the others
    ) as job:
        try:
            why = follow(job, quiet)
        except BaseException:
            end(job)
            raise
    if job.returncode:
        raise ChildProcessError(
            f"the {processes} processes of the fit {out} ended early; its checkpoints stay. "
            f"What they said:\n{why}"
        )


def environment(processes: int) -> dict[str, str]:
    """This process's, with this ``tin_lib`` and its CPU threads shared out."""
    path = [str(Path(tin_lib.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(path), "TIN_BATCH": "1", "PYTHONUNBUFFERED": "1"}
    threads = str(max(1, torch.get_num_threads() // processes))
    return os.environ | own | dict.fromkeys(THREADS, threads)


def follow(job: subprocess.Popen, quiet: bool) -> str:
    """Print the job's lines as they come, up to an error; why it ended, or its last lines."""
    last: collections.deque[str] = collections.deque(maxlen=SHOWN)
    told: list[str] = []
    for line in job.stdout or ():
        last.append(line)
        if line.startswith(ERROR):
            told.append(line.removeprefix(ERROR))
        elif not quiet and not told:  # after an error torchrun reports at length
            print(line, end="", flush=True)
    job.wait()
    causes = [line for line in told if LOST not in line]  # the others only noticed
    return "".join(causes or told or last)


def end(job: subprocess.Popen) -> None:
    """Ask torchrun to end its processes, and wait until it has; else they end with their input."""
    job.terminate()
    try:
        job.wait(GRACE)
    except subprocess.TimeoutExpired:
        job.kill()
        if job.stdin:
            job.stdin.close()
