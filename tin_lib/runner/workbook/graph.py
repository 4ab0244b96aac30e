"""The steps as a graph: which can run, which cannot, which need not."""

import graphlib
import time
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tin_lib.runner.jobs.executor import NOT_STARTED, outcome_of, stop_all
from tin_lib.runner.jobs.resources import threads_each
from tin_lib.runner.workbook import own_networks, state
from tin_lib.runner.workbook.display import Display, log_path
from tin_lib.runner.workbook.options import BLOCKED, FAILED, OK, SKIPPED, Options, Outcome
from tin_lib.runner.workbook.spec import Step, Workbook
from tin_lib.runner.workbook.step import Job, run_step

TICK = 1.0  # seconds between looks at the steps that run


@dataclass(frozen=True)
class Plan:
    """What to run, checked."""

    workbook: Workbook
    run: Path  # the run's folder, absolute
    final: dict[str, dict[str, Any]]  # every step's parameters
    data: str
    fingerprint: str
    options: Options

    def names(self) -> list[str]:
        """The steps to run, in reading order."""
        chosen = {self.workbook.find(name) for name in self.options.only}
        chosen = chosen.union(*map(self.workbook.group, self.options.groups))
        chosen = chosen or {name for name in self.workbook.steps if not self.workbook.part(name)}
        return [name for name in self.workbook.steps if name in chosen]

    def variables(self) -> dict[str, str]:
        """Environment variables of every step: the user's own networks."""
        networks = [values.get("network") for values in self.final.values()]
        return own_networks.environment(networks, self.workbook.folder)


@dataclass
class Graph:
    """The steps to run, and their outcomes so far."""

    plan: Plan
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    parts: dict[str, dict[str, str]] = field(default_factory=dict)  # see ``state.parts``
    read: dict[str, str] = field(default_factory=dict)  # digest of a step's inputs as it started

    def __post_init__(self) -> None:
        options = self.plan.options
        self.run, self.names = self.plan.run, self.plan.names()
        self.threads = threads_each(options.threads, options.jobs, options.cluster)
        self.variables = self.plan.variables()
        self.stop = self.run / "steps" / f"stop-{time.time_ns()}"
        self.display = Display(self.run, self.names)

    def step(self, name: str) -> Step:
        """A step of the workbook."""
        return self.plan.workbook.steps[name]

    def needs(self, name: str) -> list[str]:
        """The needed steps among those to run."""
        return [need for need in self.step(name).needs if need in self.names]

    def check_inputs(self) -> None:
        """Raise FileNotFoundError for a step whose inputs are not there and will not be made."""
        for name in self.names:
            missing = state.missing(self.run, self.step(name).inputs)
            if missing and not self.needs(name):
                others = " ".join(self.step(name).needs) or "what writes it"
                raise FileNotFoundError(
                    f"{name} reads {', '.join(missing)}, not found in {self.run}; "
                    f"run {others} first"
                )

    def execute(self, executor: Executor) -> None:
        """Run the steps in an order that the graph allows. Ctrl-C ends the running ones first."""
        sorter = graphlib.TopologicalSorter({name: self.needs(name) for name in self.names})
        sorter.prepare()
        running: dict[Future, str] = {}
        try:
            while sorter.is_active():
                for name in sorter.get_ready():
                    if self.needs_no_run(name):
                        sorter.done(name)
                    else:
                        running[self.submit(name, executor)] = name
                self.display.running(running.values())
                for future in wait(running, timeout=TICK, return_when=FIRST_COMPLETED).done:
                    self.record(running[future], future)
                    sorter.done(running.pop(future))
        except BaseException:
            self.interrupt(running)
            raise

    def interrupt(self, running: dict[Future, str]) -> None:
        """End all running steps and record those that had not started."""
        ran = self.display.interrupted(running.values())
        self.display.say(f"stopping {ran or 'before a notebook has started'} …")
        for future in stop_all(self.stop, running):
            if outcome_of(future)["error"] == NOT_STARTED:
                state.write(self.run, running[future], state.BLOCKED, error=NOT_STARTED)
        self.display.say("stopped; run the same command again to resume")

    def needs_no_run(self, name: str) -> bool:
        """Whether the step is blocked by failed ones, or up to date; prints and records it."""
        step = self.step(name)
        failed = self.failed_needs(name)
        if self.is_blocked(name, failed):
            self.report(Outcome(name, BLOCKED, message=f"needs {', '.join(failed)}"))
            state.write(self.run, name, state.BLOCKED, error=f"needs {', '.join(failed)}")
            return True
        self.parts[name] = self.parts_of(name)
        self.read[name] = state.files_digest(self.run, step.inputs)
        if self.reason_to_run(name):
            return False
        self.report(Outcome(name, SKIPPED))
        return True

    def failed_needs(self, name: str) -> list[str]:
        """The needed steps that failed or could not run."""
        return [n for n in self.needs(name) if self.outcomes[n].status in (FAILED, BLOCKED)]

    def is_blocked(self, name: str, failed: list[str]) -> bool:
        """Whether the step cannot run: without a step that it needs, or without all of a group."""
        grouped = self.step(name).grouped
        left = [need for need in self.needs(name) if need in grouped and need not in failed]
        return any(need not in grouped for need in failed) or bool(failed and not left)

    def parts_of(self, name: str) -> dict[str, str]:
        """What the step's result depends on now."""
        plan = self.plan
        final = plan.final[name]
        return state.parts(plan.workbook, self.step(name), final, plan.fingerprint, self.run)

    def reason_to_run(self, name: str) -> str:
        """Why the step must run now; empty if it is up to date."""
        if self.plan.options.force:
            return "--force"
        parts = self.parts.get(name) or self.parts_of(name)
        return state.reason_to_run(self.run, self.step(name), parts, self.plan.final[name])

    def submit(self, name: str, executor: Executor) -> Future:
        """Start the step; until it has finished its record says that it only started."""
        state.write(self.run, name, state.STARTED)
        log_path(self.run, name).unlink(missing_ok=True)  # there again once a worker is free
        return executor.submit(run_step, self.job(name))

    def job(self, name: str) -> Job:
        """What a worker must know to run the step."""
        return Job(
            name=name,
            notebook=str(self.plan.workbook.notebook(name)),
            output=str(self.run / "notebooks" / f"{name}.ipynb"),
            run=str(self.run),
            log=str(log_path(self.run, name)),
            stop=str(self.stop),
            threads=self.threads,
            parameters=self.plan.final[name],
            variables=self.variables,
        )

    def record(self, name: str, future: Future) -> None:
        """Record a finished step, or what went wrong, with its data and parameters."""
        facts = outcome_of(future)
        missing = state.missing(self.run, self.step(name).outputs)
        if facts["error"] is None and missing:
            facts["error"] = f"it finished but did not write {', '.join(missing)}"
        facts |= {"key": state.digest(self.parts[name]), "parts": self.parts[name]}
        facts |= {"read": self.read[name], "missing": missing}
        facts |= {"data": self.plan.data, "fingerprint": self.plan.fingerprint}
        facts["parameters"] = self.plan.final[name]
        status = state.OK if facts["error"] is None else state.FAILED
        state.write(self.run, name, status, **facts)
        without = ", ".join(self.failed_needs(name))
        message = f"without {without}, which failed" if without else ""
        message = message if status == state.OK else self.explain(name, facts["error"])
        self.report(Outcome(name, OK if status == state.OK else FAILED, facts["seconds"], message))

    def explain(self, name: str, error: str) -> str:
        """The error with the notebook's name and where to look, on lines of their own."""
        job = self.job(name)
        return f"{name}: {error}\nnotebook {job['output']}\nlog {job['log']}"

    def report(self, outcome: Outcome) -> None:
        """Keep and print the step's outcome."""
        self.outcomes[outcome.name] = outcome
        self.display.ended(outcome)
