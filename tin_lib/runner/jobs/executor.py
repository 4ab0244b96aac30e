"""Where steps and sweeps run: this machine's processes, or the workers of a dask cluster.

Both are reached through the ``concurrent.futures.Executor`` interface, so that one code path
serves them. Each task starts a separate process (``run_in_process``) on the machine where it runs.
Workers of a cluster share nothing with this process but the file system.
"""

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, TypedDict

from tin_lib.lab.process import start_child
from tin_lib.runner.jobs import resources
from tin_lib.runner.jobs.processes import stop_tree

POLL = 0.1  # seconds between checks whether to stop
NOT_STARTED = "the run was stopped before it started"
MOST_JOBS = 1024  # side by side on one machine
CONNECT = 30  # seconds to reach a cluster


class Task(TypedDict):
    """A task for a separate process. Plain values, which any worker can receive; absolute paths."""

    output: str  # what it writes: the executed notebook, the fit's folder
    log: str
    stop: str  # it ends as soon as this file appears
    threads: int  # CPU threads; 0 for the worker's share, or the libraries' own choice


def run_in_process(
    module: str, task: Task, variables: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run ``python -m MODULE TASK RESULT`` in a separate process on this machine.

    ``variables``: further environment variables. Returns what the process wrote into RESULT: at
    least ``error``, one message or a false value; and ``seconds`` of the process, unless it wrote
    that itself. RESULT is in a temporary folder.
    """
    if Path(task["stop"]).exists():
        return {"error": NOT_STARTED, "seconds": 0.0}
    started = time.monotonic()
    for path in (task["output"], task["log"]):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    environment = resources.environment(task["threads"]) | dict(variables or {})
    with tempfile.TemporaryDirectory(prefix="tin-") as scratch, open(task["log"], "w") as log:
        result = Path(scratch) / "result.json"
        process = start_child(["-m", module], task, environment, log, str(result))
        try:
            stopped = wait_for(process, Path(task["stop"]))
        finally:
            stop_tree(process)
        outcome = {"error": "stopped"} if stopped else read_outcome(result, process.returncode)
    return {"seconds": time.monotonic() - started} | outcome


def remove_scratch(result: Path) -> None:
    """Remove RESULT's temporary folder: for the process, when the one that made it was killed."""
    shutil.rmtree(result.parent, ignore_errors=True)


def wait_for(process: subprocess.Popen, stop: Path) -> bool:
    """Wait until the process ends; True if the stop file appeared first."""
    while process.poll() is None:
        if stop.exists():
            return True
        time.sleep(POLL)
    return False


def read_outcome(result: Path, returncode: int) -> dict[str, Any]:
    """What the process wrote; one that was killed could write nothing."""
    if result.is_file():
        return json.loads(result.read_text(encoding="utf-8"))
    return {"error": f"its process ended with status {returncode} (killed, or out of memory?)"}


def outcome_of(future: Future) -> dict[str, Any]:
    """What a task returned; a lost worker is that task's failure, not the run's."""
    error = future.exception()
    if error is None:
        return dict(future.result())
    return {"error": f"its worker failed: {type(error).__name__}: {error}", "seconds": 0.0}


def stop_all(stop: Path, futures: Iterable[Future]) -> set[Future]:
    """Ask all tasks to end by the file ``stop``, as dask's cannot be ended otherwise, and wait."""
    stop.parent.mkdir(parents=True, exist_ok=True)
    stop.touch()
    try:
        with contextlib.suppress(KeyboardInterrupt):  # `timeout` and batch systems signal twice
            wait(futures)
        return wait(futures).done
    finally:
        stop.unlink(missing_ok=True)


@contextlib.contextmanager
def open_executor(jobs: int = 1, cluster: str | None = None) -> Iterator[Executor]:
    """An executor of ``jobs`` threads on this machine, or of the dask cluster at ``cluster``.

    It is for what starts a process itself (``run_in_process``). Where this machine has several
    GPUs, parallel jobs see one each. Raises ValueError if ``jobs`` is not from 1 to
    MOST_JOBS, or no cluster answers.
    """
    if not 1 <= jobs <= MOST_JOBS:
        raise ValueError(f"jobs must be at least 1 and at most {MOST_JOBS:,}, not {jobs}")
    if cluster is not None:
        with connect(cluster) as client:
            yield client.get_executor(pure=False, resources=worker_resources(client))
        return
    free = iter(resources.gpu_slots(jobs))
    with ThreadPoolExecutor(
        jobs, "job", initializer=resources.take_gpu, initargs=(free,)
    ) as threads:
        yield threads


def connect(cluster: str) -> Any:
    """A client of the dask scheduler at ``cluster``, e.g. ``tcp://node1:8786``."""
    try:
        from distributed import Client
    except ImportError:
        raise ValueError("--cluster needs dask: pip install 'tin-lib[cluster]'") from None
    try:
        client = Client(cluster, timeout=CONNECT)
    except (OSError, ValueError) as error:
        raise ValueError(f"no dask scheduler answers at {cluster} ({error})") from None
    if not client.scheduler_info(n_workers=-1)["workers"]:
        client.close()
        raise ValueError(f"the dask scheduler at {cluster} has no workers; start some first")
    return client


def worker_resources(client: Any) -> dict[str, int]:
    """One GPU per task where workers offer any (``dask worker --resources GPU=1``)."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return {"GPU": 1} if any("GPU" in worker["resources"] for worker in workers) else {}
