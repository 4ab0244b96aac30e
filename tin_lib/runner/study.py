"""Run the workbook: check the request, run the steps, build the report."""

import re
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from tin_lib import files
from tin_lib.runner.jobs.executor import open_executor
from tin_lib.runner.workbook import parameters, same_data
from tin_lib.runner.workbook.forecast import Forecast, forecast
from tin_lib.runner.workbook.graph import Graph, Plan
from tin_lib.runner.workbook.options import Options, WorkbookResult, packed_fingerprint
from tin_lib.runner.workbook.source import commit
from tin_lib.runner.workbook.spec import Workbook, load_workbook, of_profile
from tin_lib.writing import guarded

SAMPLE = "sample"
LOCK = Path("steps") / ".run.lock"  # in the run's folder, held while it runs


def default_run(data: str, profile: str) -> Path:
    """The run's folder unless another is named: ``runs/DATA-PROFILE``; runs/sample for the sample
    with its own profile.
    """
    if data == profile == SAMPLE:
        return Path("runs") / SAMPLE
    name = re.sub(r"[^\w.-]+", "_", Path(data).resolve().name)
    return Path("runs") / f"{name}-{profile}"


def run_workbook(
    data: str, run: str | Path | None, profile: str = SAMPLE, options: Options | None = None
) -> WorkbookResult:
    """Run the workbook's notebooks into the folder ``run`` and build its report.

    ``data`` is ``"sample"`` or a folder of images, ``run`` a folder or None for ``default_run``,
    ``profile`` one of workbook.yaml's. A failing step does not stop those that do not need it; see
    ``WorkbookResult.ok``. Raises ValueError or FileNotFoundError, before anything starts, for what
    cannot work, such as a run that holds results of other data.
    """
    graph = prepare(data, run, profile, options or Options())
    plan, run = graph.plan, graph.run
    check(graph)  # first: a refused command leaves no folder
    with (
        open_executor(plan.options.jobs, plan.options.cluster) as executor,
        files.only_one(run / LOCK, f"the workbook in {run}"),
        guarded(run),
    ):
        files.write_json(run / "run.json", provenance(plan, profile))
        graph.execute(executor)
        return finish(graph)


def preview(
    data: str, run: str | Path | None, profile: str = SAMPLE, options: Options | None = None
) -> tuple[Path, list[Forecast]]:
    """What ``run_workbook`` would do with these arguments: the run's folder, and each step.

    Nothing is run, written or packed. Raises as ``run_workbook``.
    """
    graph = prepare(data, run, profile, options or Options(fingerprint=packed_fingerprint))
    check(graph)
    return graph.run, forecast(graph)


def prepare(data: str, run: str | Path | None, profile: str, options: Options) -> Graph:
    """The steps to run."""
    run = Path(run or default_run(data, profile)).resolve()
    data = data if data == SAMPLE else str(Path(data).resolve())
    return Graph(make_plan(data, run, profile, options))


def check(graph: Graph) -> None:
    """Raise ValueError or FileNotFoundError if the run's folder does not fit the request."""
    plan, run = graph.plan, graph.run
    graph.check_inputs()
    if not plan.fingerprint:
        return  # of data that a preview leaves unpacked
    same_data.check(run, plan.data, plan.fingerprint)
    outputs = {name: plan.workbook.steps[name].outputs for name in graph.names}
    made = {path for paths in outputs.values() for path in paths}
    chosen = {
        name: plan.final[name]
        for name, paths in outputs.items()
        if any(path.startswith("networks/") for path in paths)
    }
    same_data.check_parts(run, plan.data, chosen, made)


def make_plan(data: str, run: Path, profile: str, options: Options) -> Plan:
    """Read the workbook and check data, parameters and profile."""
    workbook = load_workbook(options.workbook or of_profile(profile))
    common = {"data": data, "run": str(run)}
    final = parameters.resolve(workbook, profile, options.parameters, common)
    filled = parameters.fill_outputs(workbook, final)
    return Plan(filled, run, final, data, options.fingerprint(data), options)


def provenance(plan: Plan, profile: str) -> dict[str, Any]:
    """The request (command, data, parameters, commit), for the report."""
    own = plan.options.workbook
    return ({"workbook": str(own.resolve())} if own else {}) | {
        "command": shlex.join(["tin", *sys.argv[1:]]),
        "data": plan.data,
        "fingerprint": plan.fingerprint,
        "profile": profile,
        "parameters": dict(plan.options.parameters),
        "commit": commit(),
        "source": files.source_digest(),
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def finish(graph: Graph) -> WorkbookResult:
    """Write the results table and the report, also of a run in which steps failed."""
    index = write_report(graph.run, graph.plan.workbook)
    outcomes = tuple(graph.outcomes[name] for name in graph.names)
    return WorkbookResult(outcomes, graph.run / "results.csv", index)


def write_report(run: Path, workbook: Workbook) -> Path:
    """Write the results table and the report of what is there; the path of its first page."""
    from tin_lib.runner.report import build, results

    files.write_table(results.collect_results(run), run / "results.csv")
    return build.build(run, workbook)


def recorded_workbook(run: Path, given: Path | None = None) -> Workbook:
    """The workbook ``given``, else that of the last command in the run's folder.

    Raises FileNotFoundError if the folder holds no run.
    """
    path = run / "run.json"
    asked = files.read_object(path) if path.is_file() else {}
    if not asked and not [*run.glob("steps/*.json"), *run.glob("networks/*/recipe.json")]:
        raise FileNotFoundError(f"{run} contains no run; `tin run --run {run}` makes one")
    named = given or asked.get("workbook")
    return load_workbook(str(named) if named else of_profile(str(asked.get("profile", SAMPLE))))
