"""Many fits in parallel, each in a folder named by its recipe, data and starting weights."""

import atexit
import contextlib
import hashlib
import json
import subprocess
import time
import uuid
from collections.abc import Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import Queue
from typing import Any, TypeVar

import torch

from tin_lib import catalog, files, networks, runs
from tin_lib.analysis.arms import DIVERGED, AnyFit, DivergedFit
from tin_lib.analysis.work_report import Stopped, WorkReport
from tin_lib.data import TinyImageNet
from tin_lib.lab.process import start_child
from tin_lib.networks.pretrained import weights_digest
from tin_lib.recipes import Recipe
from tin_lib.runner.jobs import resources
from tin_lib.runner.jobs.executor import POLL
from tin_lib.runner.jobs.processes import stop_tree
from tin_lib.train import checkpoint

Key = TypeVar("Key", bound=Hashable)
EVERY = 20.0  # seconds between lines of progress in a log
_workers: "dict[tuple[int, Path], list[Worker]]" = {}  # of this process, by jobs and folder of logs


def train_all(
    recipes: Mapping[Key, Recipe],
    data: TinyImageNet,
    folder: str | Path,
    *,
    jobs: int | None = None,
    device: str = "auto",
) -> dict[Key, AnyFit]:
    """Train all recipes on ``data`` in processes of their own and return the fits by key.

    Each fit's folder in ``folder`` is named by network and a digest of recipe, starting weights and
    data: the same fit is trained once, also when another call asks for it, and an interrupted call
    resumes. A fit whose loss diverges is recorded and returned as a DivergedFit.

    ``jobs``: fits in parallel; None: one for each CPU thread, or for each GPU. ``device``: auto,
    cpu or cuda. Raises ValueError, before anything is trained, for recipes that do not fit and for
    data that other processes cannot open; RuntimeError, after the other fits, if one failed;
    Stopped, a KeyboardInterrupt.
    """
    from tin_lib.train.distributed import choose_device

    on_gpu = choose_device(device).type == "cuda"
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs={jobs}: must be at least 1")
    if not data.request:
        raise ValueError("fits run in separate processes; pass data from open_data")
    check(recipes, data.num_classes)
    folder = Path(folder).resolve()
    paths = {key: folder / fit_name(recipe, data) for key, recipe in recipes.items()}
    missing = {p: recipes[k] for k, p in paths.items() if not ended(p, recipes[k], data)}
    common = {"request": data.request, "device": device}
    requests = [{"output": str(p), "recipe": r.to_dict()} | common for p, r in missing.items()]
    number = jobs or (torch.cuda.device_count() if on_gpu else torch.get_num_threads())
    try:
        if requests:
            run_all(requests, number, folder / "logs")
    except KeyboardInterrupt:  # by their folders: a worker's answer comes after its fit's files
        done = sum(ended(path, recipe, data) for path, recipe in missing.items())
        raise Stopped(done, len(missing), "fits") from None
    return {key: open_any(path) for key, path in paths.items()}


def check(recipes: Mapping[Key, Recipe], num_classes: int) -> None:
    """Raise ValueError for a network, option, layer name or starting weights that do not fit, and
    FileNotFoundError for weights that are not there.
    """
    seen = set()
    for recipe in recipes.values():
        options = recipe.network_options | {"weights": recipe.weights}
        text = json.dumps([recipe.network, recipe.width, options, recipe.trainable])
        if text in seen:
            continue
        seen.add(text)
        with torch.random.fork_rng(devices=[]):
            network = networks.create(recipe.network, num_classes, recipe.width, **options)
        for name in recipe.trainable or ():
            network.check(name)


def fit_name(recipe: Recipe, data: TinyImageNet) -> str:
    """Folder name of a fit: the network's, and a digest of all that it is made from."""
    content = changed_fields(recipe)
    content |= {"weights": weights_digest(recipe.weights) or recipe.weights}
    content |= {"data": data.fingerprint, "build": networks.build_digest(recipe.network)}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{catalog.folder_name(recipe.network)}-{digest[:12]}"


def changed_fields(recipe: Recipe) -> dict[str, Any]:
    """The recipe's fields that are not the defaults: a field added later changes no digest."""
    own = recipe.to_dict()
    plain = Recipe(recipe.network, recipe.epochs, recipe.lr).to_dict()
    augment = {k: v for k, v in own.pop("augment").items() if v != plain["augment"][k]}
    needed = ("network", "epochs", "lr")
    return {k: v for k, v in own.items() if k in needed or v != plain[k]} | {"augment": augment}


def ended(path: Path, recipe: Recipe, data: TinyImageNet) -> bool:
    """Whether the fit is finished or has diverged."""
    done = checkpoint.holds(path, recipe, data, *checkpoint.FINISHED)
    return done or checkpoint.holds(path, recipe, data, DIVERGED)


def open_any(path: Path) -> AnyFit:
    """The fit in a folder."""
    return DivergedFit(path) if (path / DIVERGED).is_file() else runs.open_fit(path)


def run_all(requests: list[dict[str, Any]], jobs: int, logs: Path) -> None:
    """Train the fits in ``jobs`` worker processes. Raises as ``train_all``."""
    workers, free = take_workers(jobs, min(jobs, len(requests)), logs), Queue[Worker]()
    for worker in workers:
        free.put(worker)
    report, errors = WorkReport("training", len(requests), "fits", EVERY), []
    with report, ThreadPoolExecutor(len(workers)) as threads:
        futures = [threads.submit(run_one, free, request) for request in requests]
        try:
            for future in as_completed(futures):
                errors += [error for error in [future.result()] if error]
                report.add()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            close_workers()
            raise
    if errors:
        more = f" ({len(errors) - 1} more failed)" if len(errors) > 1 else ""
        raise RuntimeError(f"a fit failed: {errors[0]}{more}; logs are in {logs}")


def take_workers(jobs: int, count: int, logs: Path) -> "list[Worker]":
    """``count`` workers with a share of 1 / ``jobs`` of this machine; they outlive the call."""
    known = _workers.setdefault((jobs, logs), [])
    known += [Worker(number, jobs, logs) for number in range(len(known), count)]
    return known[:count]


@atexit.register
def close_workers() -> None:
    """End all workers of this process."""
    for workers in _workers.values():
        for worker in workers:
            worker.stopped = True
        for worker in workers:
            worker.close()
    _workers.clear()


def run_one(free: "Queue[Worker]", request: dict[str, Any]) -> str:
    """Train one fit in a worker that is free; its error, "" for none."""
    worker = free.get()
    try:
        return worker.train(request)
    finally:
        free.put(worker)


class Worker:
    """A ``fit_worker`` process, started when it is first needed, and again after its death."""

    def __init__(self, number: int, jobs: int, logs: Path) -> None:
        self.number, self.jobs, self.logs = number, jobs, logs
        self.process: subprocess.Popen | None = None
        self.stopped = False

    def start(self) -> subprocess.Popen:
        """Start the process with its share of the threads and of the GPUs."""
        # As many threads however few fits there are: their number changes the rounding.
        environment = resources.environment(max(1, torch.get_num_threads() // self.jobs))
        if (gpu := resources.gpu_slots(self.jobs)[self.number]) is not None:
            environment["CUDA_VISIBLE_DEVICES"] = gpu
        self.logs.mkdir(parents=True, exist_ok=True)
        with open(self.logs / f"worker-{self.number}.log", "a") as log:
            return start_child(["-m", "tin_lib.runner.jobs.fit_worker"], {}, environment, log)

    def train(self, request: dict[str, Any]) -> str:
        """Train one fit and wait for its end; its error, "" for none."""
        if self.stopped:
            return "stopped"
        if self.process is None or self.process.poll() is not None:
            self.end()
            self.process = self.start()
        assert self.process.stdin is not None
        # Its own name each time: other machines and later processes have the same process ids.
        result = self.logs / f"result-{uuid.uuid4().hex}.json"
        with contextlib.suppress(BrokenPipeError):  # it died: noticed below
            self.process.stdin.write(json.dumps(request | {"result": str(result)}) + "\n")
            self.process.stdin.flush()
        while not result.is_file():
            if self.stopped:  # perhaps while the process was being started
                self.end()
                return "stopped"
            if self.process.poll() is not None and not result.is_file():
                status = self.process.returncode
                why = "was killed" if status < 0 else "failed"  # a full disk, for example
                return f"{request['output']}: its process {why} (status {status})"
            time.sleep(POLL / 2)
        error = str(files.read_object(result)["error"])
        result.unlink()
        return error

    def close(self) -> None:
        """End the process, in the middle of a fit if there is one, and start no other."""
        self.stopped = True
        self.end()

    def end(self) -> None:
        """End the process, if there is one."""
        if self.process is not None and self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # of a request that it did not read
                self.process.stdin.close()
            stop_tree(self.process)
