"""The steps as a graph: what can run, what must not, what need not."""

import contextlib
import graphlib
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from pathlib import Path
from typing import Any

from tin_lib.runner.jobs.executor import NOT_BEGUN, Job, run_step
from tin_lib.runner.jobs.resources import threads_each
from tin_lib.runner.workbook import state
from tin_lib.runner.workbook.options import BLOCKED, FAILED, OK, SKIPPED, Options, Outcome
from tin_lib.runner.workbook.spec import Step, Workbook


class Graph:
    """The steps to run, and what has become of them so far."""

    def __init__(
        self,
        workbook: Workbook,
        run: Path,
        final: dict[str, dict[str, Any]],
        fingerprint: str,
        options: Options,
    ) -> None:
        self.workbook, self.run, self.final = workbook, run, final
        self.fingerprint, self.options = fingerprint, options
        self.threads = threads_each(options.threads, options.jobs, options.cluster)
        chosen = {workbook.find(name) for name in options.only} or set(workbook.steps)
        self.names = [name for name in workbook.steps if name in chosen]
        self.outcomes: dict[str, Outcome] = {}
        self.keys: dict[str, str] = {}
        self.read: dict[str, str] = {}  # digest of the files that a step reads, as it began
        self.stop = run / "steps" / f"stop-{time.time_ns()}"

    def needs(self, step: Step) -> list[str]:
        """The needed steps among those to run."""
        return [need for need in step.needs if need in self.names]

    def check_inputs(self) -> None:
        """Raise FileNotFoundError for a step whose inputs neither are there nor will be made."""
        for name in self.names:
            step = self.workbook.steps[name]
            lacking = state.missing(self.run, step.inputs)
            if lacking and not self.needs(step):
                others = " ".join(step.needs)
                raise FileNotFoundError(
                    f"{name} reads {', '.join(lacking)}, not found in {self.run}; "
                    f"run {others or 'what writes it'} first"
                )

    def execute(self, executor: Executor) -> None:
        """Run the steps in an order that the graph allows. Ctrl-C ends the running ones first."""
        sorter = graphlib.TopologicalSorter(
            {name: self.needs(self.workbook.steps[name]) for name in self.names}
        )
        sorter.prepare()
        running: dict[Future, str] = {}
        try:
            while sorter.is_active():
                for name in sorter.get_ready():
                    if self.settle(name):
                        sorter.done(name)
                    else:
                        running[self.submit(name, executor)] = name
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    self.record(running[future], future)
                    sorter.done(running.pop(future))
        except BaseException:
            self.end(running)
            self.stop.unlink(missing_ok=True)
            raise

    def end(self, running: dict[Future, str]) -> None:
        """Tell all steps to end, wait until they have, and say what did not begin."""
        print(f"stopping {', '.join(running.values())} …", flush=True)
        for future in end_all(self.stop, running):
            if outcome_of(future)["error"] == NOT_BEGUN:
                state.write(self.run, running[future], state.BLOCKED, error=NOT_BEGUN)
        print("stopped; run again, the workbook goes on from there", flush=True)

    def settle(self, name: str) -> bool:
        """Whether the step needs no run: something it needs failed, or it is up to date."""
        step = self.workbook.steps[name]
        lost = [n for n in self.needs(step) if self.outcomes[n].status in (FAILED, BLOCKED)]
        if lost:
            self.tell(Outcome(name, BLOCKED, message=f"needs {', '.join(lost)}"))
            state.write(self.run, name, state.BLOCKED, error=f"needs {', '.join(lost)}")
            return True
        self.keys[name] = state.key(
            self.workbook, step, self.final[name], self.fingerprint, self.run
        )
        self.read[name] = state.files_digest(self.run, step.inputs)
        if self.options.force or not state.up_to_date(self.run, step, self.keys[name]):
            return False
        self.tell(Outcome(name, SKIPPED))
        return True

    def submit(self, name: str, executor: Executor) -> Future:
        """Start the step; until it has finished its stamp says that it only started."""
        state.write(self.run, name, state.STARTED)
        return executor.submit(run_step, self.job(name))

    def job(self, name: str) -> Job:
        """What a worker must know to run the step."""
        return Job(
            name=name,
            notebook=str(self.workbook.notebook(name)),
            output=str(self.run / "notebooks" / f"{name}.ipynb"),
            run=str(self.run),
            log=str(self.run / "logs" / f"{name}.log"),
            stop=str(self.stop),
            threads=self.threads,
            parameters=self.final[name],
        )

    def record(self, name: str, future: Future) -> None:
        """Stamp a finished step, or say what went wrong."""
        facts = outcome_of(future)
        lacking = state.missing(self.run, self.workbook.steps[name].outputs)
        if facts["error"] is None and lacking:
            facts["error"] = f"it ran through but did not write {', '.join(lacking)}"
        facts |= {"key": self.keys[name], "parameters": self.final[name]}
        facts["read"] = self.read[name]
        status = state.OK if facts["error"] is None else state.FAILED
        state.write(self.run, name, status, **facts)
        message = "" if status == state.OK else self.explain(name, facts["error"])
        self.tell(Outcome(name, OK if status == state.OK else FAILED, facts["seconds"], message))

    def explain(self, name: str, error: str) -> str:
        """The error with the notebook's name and where to look, on lines of their own."""
        job = self.job(name)
        return f"{name}: {error}\nnotebook {job['output']}\nlog {job['log']}"

    def tell(self, outcome: Outcome) -> None:
        """One line a step: ``[3/9] 04_vgg16   ok   41.2 s``; one that went wrong says why."""
        self.outcomes[outcome.name] = outcome
        place = f"[{self.names.index(outcome.name) + 1}/{len(self.names)}]"
        width = max(map(len, self.names))
        took = f"{outcome.seconds:8.1f} s" if outcome.status in (OK, FAILED) else ""
        line = f"{place} {outcome.name:<{width}}  {outcome.status:<10}{took}".rstrip()
        if outcome.status == BLOCKED:
            line += f"  {outcome.message}"
        elif outcome.message:
            line = "\n  ".join([line, *outcome.message.splitlines()])
        print(line, flush=True)


def end_all(stop: Path, futures: Iterable[Future]) -> set[Future]:
    """Tell all to end by the file ``stop``, for a dask task cannot be ended otherwise, and wait."""
    stop.parent.mkdir(parents=True, exist_ok=True)
    stop.touch()
    with contextlib.suppress(KeyboardInterrupt):  # `timeout` and batch systems signal twice
        wait(futures)
    return wait(futures).done


def outcome_of(future: Future) -> dict[str, Any]:
    """What ``run_step`` returned; a lost worker is the step's failure, not the run's."""
    error = future.exception()
    if error is None:
        return dict(future.result())
    return {"error": f"its worker failed: {type(error).__name__}: {error}", "seconds": 0.0}
