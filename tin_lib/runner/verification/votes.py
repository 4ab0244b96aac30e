"""The tables of ``RUN/ensemble``, computed again from the members' predictions."""

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from tin_lib import files
from tin_lib.analysis import compare, ensemble, runs
from tin_lib.runner.report.results import outdated
from tin_lib.runner.verification.checks import Calls, Different, NotChecked, same, same_table
from tin_lib.runner.workbook import state

FOLDER, SUBMISSION = "ensemble", "test_majority_vote.txt"
MARK = "reproduction.json"  # in a folder of `tin reproduce`: of which run, and its fallback


def votes_of(run: runs.Run) -> tuple[list[str], str]:
    """Members and fallback of the recorded votes: of the step's record, or of the table."""
    given: dict[str, Any] = {}
    if (run.path / MARK).is_file():
        given = files.read_object(run.path / MARK)
    for path in sorted((run.path / "steps").glob("*ensemble.json")):
        given = dict(state.read(run.path, path.stem).get("parameters") or {})
    table = files.read_table(run.path / FOLDER / "summary.csv")
    members = table.members.iloc[0].split(", ") if len(table) else list(run.fits)
    return members, str(given.get("fallback") or ensemble.FALLBACK)


def makers(run: runs.Run, members: list[str], fallback: str) -> dict[str, Callable[[], str]]:
    """The text of each file of the folder, by its name, as notebook 06 writes it."""

    def accuracy() -> pd.DataFrame:
        return ensemble.ensemble_table(run, members, fallback)

    def summary() -> pd.DataFrame:
        table = accuracy()
        table["train_accuracy"] = ensemble.train_accuracies(run, members, fallback)
        return table[table.kind == "vote"]

    def comparisons() -> pd.DataFrame:
        tables = ensemble.with_votes(run, "val", members, fallback)
        return compare.pairwise(tables, len(run.first.class_ids))

    def correlation() -> str:
        tables = ensemble.predictions(run, "val", members)
        return ensemble.error_correlation(ensemble.errors(tables)).to_csv()

    def submission() -> str:
        table = ensemble.vote(run, "test", members, fallback)
        return "".join(f"{f} {p}\n" for f, p in zip(table.file, table.predicted))

    made = {"accuracy.csv": accuracy, "comparisons.csv": comparisons, "summary.csv": summary}
    texts: dict[str, Callable[[], str]] = {
        name: functools.partial(lambda make: make().to_csv(index=False), make)
        for name, make in made.items()
    }
    texts["error_correlation.csv"] = correlation
    return texts | ({SUBMISSION: submission} if "test" in run.first.meta["images"] else {})


def checks(run: runs.Run) -> Calls:
    """A check for each file of the folder; one that says so if there are no votes."""
    folder = run.path / FOLDER
    if not (folder / "summary.csv").is_file():
        return {FOLDER: functools.partial(_none, run)}
    try:
        made = makers(run, *votes_of(run))
    except Exception as error:  # a changed table can lead to an error of any kind
        return {f"{FOLDER}/summary.csv": functools.partial(_raise, error)}
    calls: dict[str, Callable[[], str]] = {f"{FOLDER} is of these networks": lambda: current(run)}
    for name, make in made.items():
        calls[f"{FOLDER}/{name}"] = functools.partial(compare_file, folder / name, make)
    return calls


def _none(run: runs.Run) -> str:
    if any((run.path / "steps").glob("*ensemble.json")):
        raise FileNotFoundError(f"{run.path / FOLDER / 'summary.csv'} does not exist; run step 06")
    raise NotChecked("the run has no votes")


def _raise(error: Exception) -> str:
    raise error


def current(run: runs.Run) -> str:
    """No network was trained after the votes were counted."""
    if outdated(run.path):
        raise Different("a network changed after the votes were counted; run step 06 again")
    return ""


def compare_file(path: Path, make: Callable[[], str]) -> str:
    """Raise Different unless the file holds what ``make`` returns, numbers to a relative 1e-9."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; run step 06 again")
    if path.suffix == ".csv":
        same_table(files.read_table(path), table_of(make()))
        return "as counted from the members' predictions"
    lines, found = path.read_text(encoding="utf-8").splitlines(), make().splitlines()
    same("the number of lines", len(lines), len(found))
    changed = [one for one, other in zip(lines, found) if one != other]
    if changed:
        raise Different(f"{len(changed):,} lines, the first is {changed[0]!r}")
    return "as counted from the members' predictions"


def table_of(text: str) -> pd.DataFrame:
    """A table in CSV, all of its cells as text."""
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
