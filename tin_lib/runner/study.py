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
from tin_lib.runner.workbook.graph import Graph, Plan
from tin_lib.runner.workbook.options import Options, WorkbookResult
from tin_lib.runner.workbook.source import commit
from tin_lib.runner.workbook.spec import load_workbook, of_profile

SAMPLE = "sample"


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
    options = options or Options()
    run = Path(run or default_run(data, profile)).resolve()
    data = data if data == SAMPLE else str(Path(data).resolve())
    plan = make_plan(data, run, profile, options)
    with files.only_one(run / "steps" / ".run.lock", f"the workbook in {run}"):
        same_data.check(run, data, plan.fingerprint)
        graph = Graph(plan)
        graph.check_inputs()
        outputs = {name: plan.workbook.steps[name].outputs for name in graph.names}
        made = {path for paths in outputs.values() for path in paths}
        chosen = {
            name: plan.final[name]
            for name, paths in outputs.items()
            if any(path.startswith("networks/") for path in paths)
        }
        same_data.check_parts(run, data, chosen, made)
        files.write_json(run / "run.json", provenance(plan, profile))
        with open_executor(options.jobs, options.cluster) as executor:
            graph.execute(executor)
        return finish(graph)


def make_plan(data: str, run: Path, profile: str, options: Options) -> Plan:
    """Read the workbook and check data, parameters and profile."""
    workbook = load_workbook(options.workbook or of_profile(profile))
    common = {"data": data, "run": str(run)}
    final = parameters.resolve(workbook, profile, options.parameters, common)
    filled = parameters.fill_outputs(workbook, final)
    return Plan(filled, run, final, data, options.fingerprint(data), options)


def provenance(plan: Plan, profile: str) -> dict[str, Any]:
    """The request (command, data, parameters, commit), for the report."""
    return {
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
    from tin_lib.runner.report import build, results

    run = graph.run
    files.write_table(results.collect_results(run), run / "results.csv")
    index = build.build(run, graph.plan.workbook)
    outcomes = tuple(graph.outcomes[name] for name in graph.names)
    return WorkbookResult(outcomes, run / "results.csv", index)
