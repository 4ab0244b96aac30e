"""Run the workbook: refuse what cannot work, run the steps, report."""

import shlex
import sys
import time
from pathlib import Path
from typing import Any

import tin_lib
from tin_lib import files
from tin_lib.locks import only_one
from tin_lib.runner.jobs.executor import open_executor
from tin_lib.runner.workbook import parameters
from tin_lib.runner.workbook.graph import Graph
from tin_lib.runner.workbook.options import Options, WorkbookResult
from tin_lib.runner.workbook.source import commit
from tin_lib.runner.workbook.spec import Workbook, load_workbook


def run_workbook(
    data: str, run: str | Path, profile: str = "sample", options: Options | None = None
) -> WorkbookResult:
    """Run the workbook's notebooks into the folder ``run`` and build its report.

    ``data`` is ``"sample"`` or a folder in the official layout, ``profile`` one of workbook.yaml's.
    A failing step does not stop those that do not need it; see ``WorkbookResult.ok``. Raises
    ValueError or FileNotFoundError, before anything starts, for what cannot work.
    """
    options = options or Options()
    run = Path(run).resolve()
    data = data if data == "sample" else str(Path(data).resolve())
    workbook = load_workbook(options.notebooks or default_notebooks())
    final = parameters.resolve(
        workbook, profile, options.parameters, {"data": data, "run": str(run)}
    )
    fingerprint = options.fingerprint(data)
    with only_one(run / "steps" / ".run.lock", f"the workbook in {run}"):
        graph = Graph(workbook, run, final, fingerprint, options)
        graph.check_inputs()
        files.write_json(run / "run.json", provenance(data, profile, options))
        with open_executor(options.jobs, options.cluster) as executor:
            graph.execute(executor)
        return finish(workbook, run, graph)


def default_notebooks() -> Path:
    """The notebooks beside the ``tin_lib`` in use, else those in the current folder."""
    beside = Path(tin_lib.__file__).parents[1] / "notebooks"
    return beside if beside.is_dir() else Path("notebooks")


def provenance(data: str, profile: str, options: Options) -> dict[str, Any]:
    """What was asked for, for the report."""
    return {
        "command": shlex.join(["tin", *sys.argv[1:]]),
        "data": data,
        "profile": profile,
        "parameters": dict(options.parameters),
        "commit": commit(),
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def finish(workbook: Workbook, run: Path, graph: Graph) -> WorkbookResult:
    """Results table and report, also of a run in which steps failed."""
    from tin_lib.runner.report import build, results

    files.write_table(results.collect_results(run), run / "results.csv")
    index = build.build(run, workbook)
    outcomes = tuple(graph.outcomes[name] for name in graph.names)
    return WorkbookResult(outcomes, run / "results.csv", index)
