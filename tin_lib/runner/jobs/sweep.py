"""A sweep: one recipe trained with every combination of some fields' values, in parallel."""

import contextlib
import hashlib
import itertools
import json
import re
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from pathlib import Path
from typing import Any

import pandas as pd

from tin_lib import files
from tin_lib.data import TinyImageNet
from tin_lib.lab.process import end_with_parent
from tin_lib.recipes import Recipe
from tin_lib.runner.jobs import fits
from tin_lib.runner.jobs.executor import Task, outcome_of, remove_scratch, run_in_process, stop_all

FIGURES = ("heldout_accuracy", "val_accuracy", "val_top5", "train_accuracy", "epochs", "seconds")
Report = Callable[[int, int, dict[str, Any]], None]  # done, total, row


class FitJob(Task):
    """One fit of a sweep."""

    recipe: dict[str, Any]
    request: dict[str, Any]  # the arguments of ``open_data``
    device: str


def combinations(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every choice of one value per field, the last field changing fastest."""
    empty = [name for name, values in grid.items() if not values]
    if not grid or empty:
        raise ValueError(f"grid: {empty[0] if empty else 'it'} has no values; give some")
    return [dict(zip(grid, values)) for values in itertools.product(*grid.values())]


def sweep(
    recipe: Recipe,
    grid: Mapping[str, Sequence[Any]],
    data: TinyImageNet,
    out: str | Path,
    executor: Executor,
    *,
    device: str = "auto",
    threads: int = 0,
    report: Report = lambda done, total, row: None,
) -> pd.DataFrame:
    """Train ``recipe`` with every combination of ``grid``, and write ``out/sweep.csv``.

    Each fit has its own process, and a folder in ``out`` named by its fields. Finished ones
    are not trained again, so an interrupted sweep resumes. A fit that fails has its error in the
    table; the others finish. Seeded by each recipe's ``seed``.

    Args:
        recipe: what all have in common.
        grid: values by the recipe's field, e.g. ``{"lr": [0.01, 0.1], "seed": [0, 1, 2]}``.
        data: from ``open_data``; opened with ``holdout=0.1``, it gives an accuracy to choose by.
        out: the sweep's folder; a cluster's workers must see it under the same path.
        executor: from ``tin_lib.runner.jobs.executor.open_executor``, or any other.
        device: auto, cpu or cuda, of each fit.
        threads: CPU threads of each fit; 0: the libraries' default, or a cluster worker's share.
        report: called after each fit.

    Returns one row per combination, best first, by the held-out accuracy if there is one, else by
    validation: the fields, FIGURES (0..1; seconds of training), fit (its folder), error. Raises
    ValueError, before anything is trained, for a field or value that does not fit, and for data
    that other processes cannot open.
    """
    out, chosen = Path(out).resolve(), combinations(grid)
    recipes = [recipe.replace(**fields) for fields in chosen]  # refuses what does not fit
    fits.check(dict(enumerate(recipes)), data.num_classes)
    if not data.request:
        raise ValueError("sweep: fits run in separate processes; pass data from open_data")
    stop = out / f".stop-{time.time_ns()}"
    futures, rows = {}, []
    try:
        for fields, one in zip(chosen, recipes):
            name = folder_name(fields)
            job = FitJob(
                output=str(out / name),
                log=str(out / "logs" / f"{name}.log"),
                stop=str(stop),
                threads=threads,
                recipe=one.to_dict(),
                request=data.request,
                device=device,
            )
            futures[executor.submit(run_fit, job)] = fields | {"fit": name}
        for future in as_completed(futures):
            rows.append(futures[future] | figures_of(outcome_of(future)))
            files.write_table(ranked(rows, list(grid)), out / "sweep.csv")  # keeps finished rows
            report(len(rows), len(futures), rows[-1])
    except BaseException:
        stop_all(stop, futures)
        raise
    return ranked(rows, list(grid))


def run_fit(job: FitJob) -> dict[str, Any]:
    """One fit of a sweep, in its own process: its FIGURES, and ``error``.

    So a fit that runs out of memory takes neither the others nor a cluster's worker with it, and
    each trains in a main thread, which ``kept_blocks`` asks for.
    """
    return run_in_process("tin_lib.runner.jobs.sweep", job)


def main(job: FitJob, result: Path) -> int:
    """That process: train, and write the outcome into ``result``."""
    end_with_parent(lambda: remove_scratch(result))
    outcome = train_one(job)
    result.write_text(json.dumps(outcome), encoding="utf-8")
    return int(bool(outcome["error"]))


def train_one(job: FitJob) -> dict[str, Any]:
    """Train; the fit's FIGURES, or its ``error``. The log has the traceback."""
    from tin_lib.data import open_data
    from tin_lib.train import fit

    try:
        data, recipe = open_data(**job["request"]), Recipe.from_dict(job["recipe"])
        done = fit(recipe, data, job["output"], device=job["device"], progress=None)
    except Exception as error:  # no memory, no device: this fit's failure, not the sweep's
        traceback.print_exc()
        return {"error": str(error) or type(error).__name__}
    return {name: done.summary[name] for name in FIGURES if name in done.summary} | {"error": ""}


def figures_of(outcome: dict[str, Any]) -> dict[str, Any]:
    """A fit's outcome as cells of its row: a failed one has its error alone."""
    return {"error": outcome["error"]} if outcome["error"] else outcome


def ranked(rows: list[dict[str, Any]], fields: list[str]) -> pd.DataFrame:
    """The rows as a table, best first; failed fits last."""
    figures = [name for name in FIGURES if name not in fields]
    table = pd.DataFrame(rows).reindex(columns=[*fields, *figures, "fit", "error"])
    by = "heldout_accuracy" if table.heldout_accuracy.notna().any() else "val_accuracy"
    return table.sort_values(by, ascending=False, kind="stable", ignore_index=True)


def folder_name(fields: Mapping[str, Any]) -> str:
    """A folder's name made of the fields: ``lr=0.01,seed=0``; long or odd ones end in a digest."""
    text = ",".join(f"{name}={value}" for name, value in fields.items())
    plain = re.sub(r"[^\w.,=+-]+", "_", text)
    if plain == text and len(plain) < 100:
        return plain
    return f"{plain[:80]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def parse_grid(given: Sequence[str]) -> dict[str, list[Any]]:
    """``["lr=0.01,0.1", "penalties=none,paper"]`` -> values by field; JSON where it is JSON.

    Raises ValueError for anything not of the form FIELD=VALUE,VALUE, and for a field given twice.
    """
    grid: dict[str, list[Any]] = {}
    for text in given:
        name, equals, values = text.partition("=")
        if not equals or not name or not values or name in grid:
            raise ValueError(f"--grid {text}: write FIELD=VALUE,VALUE, each field once")
        try:
            grid[name] = json.loads(f"[{values}]")  # also objects, which have commas of their own
        except json.JSONDecodeError:
            grid[name] = [parse_value(value) for value in values.split(",")]
    return grid


def parse_value(text: str) -> Any:
    """JSON where it is JSON, a number where it is one (``.1``), else the text."""
    for read in (json.loads, float):
        with contextlib.suppress(ValueError):
            return read(text)
    return text


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), Path(sys.argv[2])))
