"""A job's share of its machine: CPU threads, and one GPU where jobs run side by side."""

import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from tin_lib.lab.process import THREADS, thread_environment
from tin_lib.process import usable_cores

# What dask's nanny sets in a worker unless its user has. It is meant for tasks that are threads of
# the worker; here they are processes, which would train on one core and return every freed page.
NANNY = dict.fromkeys(THREADS, "1") | {"MALLOC_TRIM_THRESHOLD_": "65536"}
MOST_THREADS = 4096  # of one job
_slot = threading.local()  # .gpu: the one GPU that this thread's jobs see; None or unset: all


def threads_each(asked: int | None, jobs: int, cluster: str | None) -> int:
    """CPU threads for each job: ``asked``, else the cores divided among the jobs.

    0: the libraries' default if one job runs; on a cluster, the worker's share. Raises
    ValueError if ``asked`` is not from 1 to MOST_THREADS.
    """
    if asked is not None and not 1 <= asked <= MOST_THREADS:
        raise ValueError(f"threads must be at least 1 and at most {MOST_THREADS:,}, not {asked}")
    if asked is not None:
        return asked
    return 0 if jobs <= 1 or cluster else max(1, len(usable_cores()) // jobs)


def environment(threads: int) -> dict[str, str]:
    """This process's environment, changed to what a job that it starts may use of the machine.

    With ``threads`` 0 a task of a dask worker uses its share of the cores, unless the worker's
    user has set OMP_NUM_THREADS; elsewhere the libraries choose.
    """
    given, worker = dict(os.environ), dask_worker()
    if worker is not None:
        given = {name: value for name, value in given.items() if NANNY.get(name) != value}
        if "OMP_NUM_THREADS" not in given:
            threads = threads or share_of_cores(worker)
    given |= thread_environment(threads)
    if (gpu := getattr(_slot, "gpu", None)) is not None:
        given["CUDA_VISIBLE_DEVICES"] = gpu
    return given


def dask_worker() -> Any:
    """The dask worker whose task this thread runs, or None."""
    if "distributed" not in sys.modules:
        return None
    from distributed import get_worker

    try:
        return get_worker()
    except ValueError:
        return None


def share_of_cores(worker: Any) -> int:
    """Cores for one task of a dask worker: its own, divided by the tasks that may run on them."""
    from dask.system import CPU_COUNT  # respects a container's limit too
    from distributed import get_client

    client = get_client()
    known = client.scheduler_info(n_workers=-1)["workers"]
    host = known[worker.address]["host"]
    here = [address for address, about in known.items() if about["host"] == host]
    cores = client.run(usable_cores, workers=here, on_error="ignore")
    tasks = {address: known[address]["nthreads"] for address in cores}
    return max(1, CPU_COUNT // tasks_on(cores[worker.address], cores, tasks))


def tasks_on(mine: frozenset[int], cores: dict[str, frozenset[int]], tasks: dict[str, int]) -> int:
    """How many tasks at a time the workers run that may use any of ``mine``.

    A batch system may bind each worker to its own cores, or let all workers use all cores.
    """
    return sum(tasks[address] for address, theirs in cores.items() if mine & theirs)


def take_gpu(free: Iterator[str | None]) -> None:
    """Assign the next GPU to the calling thread, for all jobs that it will start."""
    _slot.gpu = next(free)


def gpu_slots(jobs: int) -> list[str | None]:
    """The GPU of each parallel job, assigned in turn; None: the job sees all GPUs."""
    found = gpus() if jobs > 1 else []
    return [found[n % len(found)] if len(found) > 1 else None for n in range(jobs)]


def gpus() -> list[str]:
    """The GPUs this process may use, as CUDA_VISIBLE_DEVICES names them; CUDA is not started."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]
