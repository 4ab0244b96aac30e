"""Child processes: their environment, starting them, and how they end."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, NoReturn

# All three: PyTorch asks MKL before OpenMP, and numpy asks OpenBLAS.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def thread_environment(threads: int) -> dict[str, str]:
    """Environment variables for a process with ``threads`` CPU threads; none of them for 0."""
    return dict.fromkeys(THREADS, str(threads)) if threads else {}


def path_list(first: str | Path, variable: str, environment: Mapping[str, str] = os.environ) -> str:
    """``first`` followed by what the environment variable ``variable`` lists already."""
    return os.pathsep.join([str(first), *filter(None, [environment.get(variable)])])


def start_child(
    launcher: list[str], request: Any, environment: Mapping[str, str], output: int | IO, *more: str
) -> subprocess.Popen:
    """Start ``python LAUNCHER… REQUEST MORE…``, with ``request`` as JSON.

    The child imports this ``tin_lib`` and prints UTF-8, unbuffered, into ``output``. Its standard
    input closes with this process, for ``end_with_parent``; Ctrl-C does not reach it.
    """
    own = {
        "PYTHONPATH": path_list(Path(__file__).parents[2], "PYTHONPATH", environment),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),  # waiting threads sleep
    }
    return subprocess.Popen(
        [sys.executable, *launcher, json.dumps(request), *more],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**environment, **own},
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    )


def end_with_parent(first: Callable[[], object] = lambda: None) -> None:
    """End as soon as standard input, a pipe from the parent, closes; call ``first`` before."""

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin, whose lock the interpreter would wait for at its end
            pass
        first()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def end_process(status: int) -> NoReturn:
    """End this process with ``status``; under torchrun without Python's own end.

    DistributedDataParallel keeps gloo's threads alive (seen in torch 2.14). One that asks for the
    interpreter during its end aborts: "terminate called without an active exception".
    """
    if "WORLD_SIZE" in os.environ:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
