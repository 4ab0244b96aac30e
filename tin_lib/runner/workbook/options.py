"""How to run the workbook, and the results of its steps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OK, SKIPPED, FAILED, BLOCKED = "ok", "up to date", "FAILED", "not run"


def data_fingerprint(data: str) -> str:
    """Fingerprint of the data set that ``--data`` names; packs it on first use."""
    from tin_lib.data import open_data

    return open_data(data).fingerprint


def packed_fingerprint(data: str) -> str:
    """As ``data_fingerprint``, but packs and writes nothing; empty if the data are not packed."""
    from tin_lib.data import layout, packed
    from tin_lib.files import cache_folder
    from tin_lib.sample import build

    if data == "sample" and not (cache_folder() / build.NAME).is_dir():
        return ""
    found = packed.find(packed.places_of(layout.find_root(data)))
    return found.meta["fingerprint"] if found else ""


@dataclass(frozen=True)
class Options:
    """How to run the workbook; the defaults run all of it, one step at a time, on this machine."""

    parameters: Mapping[str, Any] = field(default_factory=dict)  # {"02.epochs": 3}
    jobs: int = 1  # steps side by side on this machine
    cluster: str | None = None  # address of a dask scheduler, instead of jobs
    threads: int | None = None  # CPU threads of each step; None: the cores divided among them
    only: Sequence[str] = ()  # run these steps alone; what they read must be there
    groups: Sequence[str] = ()  # run the steps of these groups and those that they need
    force: bool = False  # run also what is up to date
    workbook: Path | None = None  # workbook.yaml or its folder; None: the repository's
    fingerprint: Callable[[str], str] = data_fingerprint  # of the data set named


@dataclass(frozen=True)
class Outcome:
    """The result of one step in this command."""

    name: str
    status: str  # OK, SKIPPED, FAILED or BLOCKED
    seconds: float = 0.0
    message: str = ""


@dataclass(frozen=True)
class WorkbookResult:
    """The results of all steps, and where the report is."""

    outcomes: tuple[Outcome, ...]
    results: Path  # results.csv
    report: Path  # report/index.html

    @property
    def ok(self) -> bool:
        """Whether every step has run or was up to date."""
        return all(outcome.status in (OK, SKIPPED) for outcome in self.outcomes)
