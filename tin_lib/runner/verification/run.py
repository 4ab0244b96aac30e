"""The checks of a run's folder: its fits, what was counted from them, and the report's numbers."""

import functools
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd

from tin_lib import files
from tin_lib.analysis import runs
from tin_lib.analysis.arms import DIVERGED
from tin_lib.runner.report import tables
from tin_lib.runner.report.results import collect_results
from tin_lib.runner.verification import votes
from tin_lib.runner.verification.checks import (
    NOT_CHECKED,
    UNKNOWN,
    Calls,
    Check,
    Different,
    NotChecked,
    close,
    make_checks,
)
from tin_lib.runner.verification.fit import check_fit
from tin_lib.runner.workbook import state

# What `tin run` and the notebooks write. Folders of which only the tables of fits are checked:
DERIVED = ("data", "errors", "experiments", "filters", "saliency", "notebooks", "logs", "report")
FILES = ("run.json", "results.csv", "sweep.csv", "reproduction.json")
FIGURES = ("train_accuracy", "heldout_accuracy", "val_accuracy", "val_top5", "epochs", "seconds")


def verify(folder: str | Path, data: str | None = None, quick: bool = False) -> Iterator[Check]:
    """Check a fit's folder or a run's: yields one Check after another as they are made.

    ``data``: the folder of the data if they have moved. ``quick``: predict nothing, and do not open
    the data. Raises FileNotFoundError if the folder holds no fit.
    """
    folder = Path(folder)
    if is_fit(folder):
        yield from check_fit(folder, data, quick)
        return
    found = fits(folder)
    if not found:
        raise FileNotFoundError(f"{folder} contains no fit; name a fit's folder or a run's")
    for path in found:
        for check in check_fit(path, data, quick):
            yield Check(f"{path.relative_to(folder)}: {check.name}", check.state, check.detail)
    yield from make_checks(checks(folder, found))
    yield from others(folder, found)


def is_fit(folder: Path) -> bool:
    """Whether the folder is a fit's, finished or not."""
    return any((folder / name).is_file() for name in ("recipe.json", "weights.safetensors"))


def fits(folder: Path) -> list[Path]:
    """Folders of fits in ``folder``, sorted; those that a later fit moved aside are left out."""
    names = ("recipe.json", "summary.json")  # either may be the one that is missing
    found = {path.parent for name in names for path in folder.rglob(name)}
    return sorted(p for p in found if ".previous" not in p.parts and "report" not in p.parts)


def checks(folder: Path, found: list[Path]) -> Calls:
    """What is checked of the run beyond its fits."""
    calls: dict[str, Any] = {}
    networks = [path for path in found if path.parent == folder / "networks"]
    if networks:
        calls["networks belong together"] = functools.partial(together, networks)
        calls |= vote_checks(folder)
        calls["results.csv"] = functools.partial(results, folder)
        calls["report/index.html"] = functools.partial(report, folder)
    if (folder / "steps").is_dir():
        calls["steps"] = functools.partial(steps, folder)
    figures = {path.name: path for path in found}
    for path in sorted(folder.rglob("*.csv")):
        if path.name in ("sweep.csv", "fits.csv"):
            name = str(path.relative_to(folder))
            calls[name] = functools.partial(table_of_fits, path, figures)
    return calls


def vote_checks(folder: Path) -> Calls:
    """The checks of the votes; one that fails if the networks cannot be opened together."""
    try:
        return votes.checks(runs.open_run(folder))
    except (ValueError, OSError, KeyError, TypeError):  # the fits' own lines say why
        return {votes.FOLDER: functools.partial(runs.open_run, folder)}  # type: ignore[dict-item]


def together(networks: list[Path]) -> str:
    """All networks of the run have one class order and were trained on the same data."""
    opened = [runs.open_fit(path) for path in networks if (path / "summary.json").is_file()]
    runs.check_together(opened)
    return f"{len(opened)} networks, one class order, the same data"


def results(folder: Path) -> str:
    """``results.csv`` holds the summaries' and the votes' figures."""
    path = folder / "results.csv"
    if not path.is_file():
        if not (folder / "run.json").is_file():
            raise NotChecked("not a run of tin run")
        raise FileNotFoundError(f"{path} does not exist; run tin run again")
    votes.compare_content(path, functools.partial(collect_results, folder))
    return "as in the networks' summaries and the votes"


def steps(folder: Path) -> str:
    """Every step has finished, and its executed notebook is there."""
    names = sorted(path.stem for path in (folder / "steps").glob("*.json"))
    records = {name: state.read(folder, name) for name in names}
    failed = [name for name, record in records.items() if record.get("status") != state.OK]
    if failed:
        raise Different(f"{', '.join(failed)} did not finish; run tin run again")
    for name in names:
        path = folder / "notebooks" / f"{name}.ipynb"
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist; run step {name} again")
    return f"{len(names)} finished"


def table_of_fits(path: Path, fits: dict[str, Path]) -> str:
    """The figures of a table with one row a fit are those of the fits' summaries."""
    table, count = files.read_table(path), 0
    for row in table.to_dict("records") if "fit" in table else []:
        folder = fits.get(row["fit"])
        if folder is None:
            raise Different(f"it lists the fit {row['fit']}, which does not exist")
        if (folder / DIVERGED).is_file() or row.get("error"):
            continue
        summary, count = files.read_object(folder / "summary.json"), count + 1
        for name in FIGURES:
            if row.get(name) and name in summary:
                close(f"{name} of {row['fit']}", float(row[name]), float(summary[name]))
    return f"{count} fits as in their summaries"


class Rows(HTMLParser):
    """The rows of all tables of a page, as lists of their cells' text."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Begin a row or a cell."""
        if tag == "tr":
            self.rows.append([])
        self.open = tag in ("td", "th")
        if self.open and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """End a cell."""
        self.open = self.open and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        """Text, which counts inside a cell."""
        if self.open and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def report(folder: Path) -> str:
    """The report's table of results has the figures of the run."""
    path = folder / "report" / "index.html"
    if not path.is_file():
        if not (folder / "run.json").is_file():
            raise NotChecked("the run has no report")
        raise FileNotFoundError(f"{path} does not exist; run tin run again")
    page = Rows()
    page.feed(path.read_text(encoding="utf-8"))
    expected: pd.DataFrame = collect_results(folder)
    for row in tables.result_rows(expected):
        if row not in page.rows:
            there = next((each for each in page.rows if each[:1] == row[:1]), "no such row")
            raise Different(f"its row is {there}, the results are {row}")
    return f"{len(expected)} rows of results"


def others(folder: Path, found: list[Path]) -> Iterator[Check]:
    """Files that are not known, and folders whose files are not checked one by one."""
    known = {
        votes.FOLDER,
        "steps",
        *DERIVED,
        *FILES,
        *(p.relative_to(folder).parts[0] for p in found),
    }
    for path in sorted(folder.iterdir()):
        if path.name not in known and not path.name.startswith("."):
            yield Check(path.name, UNKNOWN, "not a file of a run that verify knows")
    for path in sorted((folder / "networks").glob("*")):
        if path not in found and not path.name.startswith("."):
            yield Check(str(path.relative_to(folder)), UNKNOWN, "no fit")
    made = votes.FOLDER, {"accuracy.csv", "comparisons.csv", "error_correlation.csv", "summary.csv"}
    for path in sorted((folder / made[0]).glob("*")):
        if path.name not in (*made[1], votes.SUBMISSION):
            yield Check(
                str(path.relative_to(folder)), UNKNOWN, "not a file of a run that verify knows"
            )
    derived = [
        name for name in DERIVED if (folder / name).is_dir() and name not in ("logs", "report")
    ]
    if derived:
        yield Check(", ".join(derived), NOT_CHECKED, "made from the fits; run the step to compare")
