"""The tables of ``RUN/ensemble``, computed again from the members' predictions."""

import functools
import tempfile
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
CORRELATION = "error_correlation.csv"  # the one with its rows' names
COUNTED = "as counted from the members' predictions"
Content = pd.DataFrame | str  # of a table, of another file
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


def makers(run: runs.Run, members: list[str], fallback: str) -> dict[str, Callable[[], Content]]:
    """What each file of the folder holds, by its name: as notebook 06 computes it."""

    def accuracy() -> pd.DataFrame:
        return ensemble.ensemble_table(run, members, fallback)

    def summary() -> pd.DataFrame:
        table = accuracy()
        table["train_accuracy"] = ensemble.train_accuracies(run, members, fallback)
        return table[table.kind == "vote"]

    def comparisons() -> pd.DataFrame:
        tables = ensemble.with_votes(run, "val", members, fallback)
        return compare.pairwise(tables, len(run.first.class_ids))

    def correlation() -> pd.DataFrame:
        tables = ensemble.predictions(run, "val", members)
        return ensemble.error_correlation(ensemble.errors(tables))

    def votes() -> str:
        table = ensemble.vote(run, "test", members, fallback)
        return "".join(f"{file} {wnid}\n" for file, wnid in zip(table.file, table.predicted))

    made: dict[str, Callable[[], Content]] = {"accuracy.csv": accuracy, "summary.csv": summary}
    made |= {"comparisons.csv": comparisons, CORRELATION: correlation}
    whole = len(ensemble.predicted(run, "test", members)) == len(members)
    return made | ({SUBMISSION: votes} if whole else {})


def write(path: Path, content: Content) -> None:
    """Write a table or a text, atomically, as the notebooks do."""
    if isinstance(content, str):
        files.atomic_write(path, content)
    else:
        files.write_table(content, path, index=path.name == CORRELATION)


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
        calls[f"{FOLDER}/{name}"] = functools.partial(compare_content, folder / name, make)
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


def compare_content(path: Path, make: Callable[[], Content]) -> str:
    """Raise Different unless the file holds what ``make`` returns, numbers to a relative 1e-9."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; run its step again")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / path.name, make())
        return compare_files(path, Path(folder) / path.name)


def compare_files(recorded: Path, found: Path) -> str:
    """Raise Different unless two tables, or two texts, hold the same."""
    if recorded.suffix == ".csv":
        same_table(files.read_table(recorded), files.read_table(found))
        return COUNTED
    one, other = (path.read_text(encoding="utf-8").splitlines() for path in (recorded, found))
    same("the number of lines", len(one), len(other))
    if changed := [line for line, again in zip(one, other) if line != again]:
        raise Different(f"{len(changed):,} lines, the first is {changed[0]!r}")
    return COUNTED
