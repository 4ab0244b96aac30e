"""Where steps and sweeps run: this machine's processes, or the workers of a dask cluster.

Both are reached through the ``concurrent.futures.Executor`` interface, so that one code path
serves them. What is submitted starts a process of its own (``run_apart``), wherever it runs.
Workers of a cluster share nothing with this process but the file system.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypedDict

import tin_lib
from tin_lib.runner.jobs import resources
from tin_lib.runner.jobs.processes import stop_tree

POLL = 0.1  # seconds between looks at whether to stop
NOT_BEGUN = "the run was stopped before it began"
CONNECT = 30  # seconds to reach a cluster


class Task(TypedDict):
    """What runs in a process of its own. Plain values, so that they travel to any worker; absolute
    paths."""

    output: str  # what it leaves: the executed notebook, the fit's folder
    log: str
    stop: str  # it ends as soon as this file appears
    threads: int  # CPU threads; 0 for the worker's share, or the libraries' own choice


class Job(Task):
    """One step to run."""

    name: str
    notebook: str
    run: str  # the run's folder
    parameters: dict[str, Any]


def run_step(job: Job) -> dict[str, Any]:
    """Run one notebook; as ``run_apart``, with ``machine`` and ``versions`` if it got that far."""
    return run_apart("tin_lib.runner.workbook.step", job, kernel_environment)


def run_apart(
    module: str, task: Task, further: Callable[[Path], dict[str, str]] = lambda scratch: {}
) -> dict[str, Any]:
    """Run ``python -m MODULE TASK RESULT`` on this machine, in a process of its own.

    ``further`` gives environment variables, from a folder that lasts as long as the process.
    Returns what the process wrote into RESULT: at least ``error``, one message where it went wrong;
    and ``seconds``, of the process if it told none.
    """
    if Path(task["stop"]).exists():
        return {"error": NOT_BEGUN, "seconds": 0.0}
    started = time.monotonic()
    for path in (task["output"], task["log"]):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tin-") as scratch, open(task["log"], "w") as log:
        result = Path(scratch) / "result.json"
        process = subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(task), str(result)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(task["threads"]) | further(Path(scratch)),
            start_new_session=True,  # Ctrl-C reaches the runner, which then ends the processes
        )
        try:
            stopped = wait_for(process, Path(task["stop"]))
        finally:
            stop_tree(process)
        outcome = {"error": "stopped"} if stopped else read_outcome(result, process.returncode)
    return {"seconds": time.monotonic() - started} | outcome


def wait_for(process: subprocess.Popen, stop: Path) -> bool:
    """Wait until the process ends; True when the stop file appeared first."""
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


def environment(threads: int) -> dict[str, str]:
    """Environment of a process: its share of the machine, this ``tin_lib``, no live output."""
    return resources.environment(threads) | {
        "PYTHONPATH": path_list(str(Path(tin_lib.__file__).parents[1]), "PYTHONPATH"),
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),  # spinning starves others
        "TIN_BATCH": "1",  # widgets leave a static picture, training prints a line an epoch
        "TQDM_DISABLE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def kernel_environment(scratch: Path) -> dict[str, str]:
    """What a step needs beyond: this interpreter as its kernel, output fit for a saved notebook."""
    write_kernelspec(scratch / "kernels" / "python3")
    return {
        "JUPYTER_PATH": path_list(str(scratch), "JUPYTER_PATH"),
        "PLOTLY_RENDERER": "plotly_mimetype",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def path_list(first: str, variable: str) -> str:
    """``first`` before what the variable holds already."""
    return os.pathsep.join([first, *filter(None, [os.environ.get(variable)])])


def write_kernelspec(folder: Path) -> None:
    """A kernel that is this interpreter, registered or not; found first through JUPYTER_PATH."""
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python 3", "language": "python"}
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


@contextlib.contextmanager
def open_executor(jobs: int = 1, cluster: str | None = None) -> Iterator[Executor]:
    """An executor of ``jobs`` threads on this machine, or of the dask cluster at ``cluster``.

    It is for what starts a process itself (``run_apart``). Where this machine has several GPUs,
    jobs side by side see one each. Raises ValueError when ``jobs`` is not positive or no cluster
    answers.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
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
    """One GPU a task where workers offer GPUs (``dask worker --resources GPU=1``), else nothing."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return {"GPU": 1} if any("GPU" in worker["resources"] for worker in workers) else {}
