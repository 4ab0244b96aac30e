"""Checks with one line each: what was checked, how it ended, and by how much it differs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

OK, DIFFERS, MISSING = "OK", "DIFFERS", "MISSING"
NOT_RECORDED, NOT_CHECKED, UNKNOWN, NOTE = "not recorded", "not checked", "unknown", "note"
SPLITS = ("train", "heldout", "val", "test")  # of which a fit has predictions
WRONG = (DIFFERS, MISSING)
CLOSE = 1e-9  # of figures that are computed again from the same tables


class Different(ValueError):
    """What is there is not what was expected; the message says by how much."""


class NotRecorded(Exception):
    """The run holds nothing to compare with; the message says what is lacking."""


class NotChecked(Exception):
    """The check was not made; the message says why."""


@dataclass(frozen=True)
class Check:
    """One check. ``name``: a file or a fact; ``state``: OK, DIFFERS … of this module."""

    name: str
    state: str
    detail: str = ""

    @property
    def wrong(self) -> bool:
        """Whether something differs or is missing."""
        return self.state in WRONG

    def __str__(self) -> str:
        line = f"{self.state:<12}  {self.name}" + (f": {self.detail}" if self.detail else "")
        # What a changed file says must not reach a terminal as control characters.
        return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)


Calls = Mapping[str, Callable[[], str]]  # each returns a detail for its line, or raises


def make_checks(calls: Calls) -> Iterator[Check]:
    """Call one after another; what one raises is its outcome, and the others still follow."""
    for name, call in calls.items():
        yield make_check(name, call)


def make_check(name: str, call: Callable[[], str]) -> Check:
    """Call, and say how it ended."""
    try:
        return Check(name, OK, call())
    except NotRecorded as reason:
        return Check(name, NOT_RECORDED, str(reason))
    except NotChecked as reason:
        return Check(name, NOT_CHECKED, str(reason))
    except FileNotFoundError as error:
        return Check(name, MISSING, str(error))
    except (ValueError, OSError) as error:
        return Check(name, DIFFERS, " ".join(str(error).split()))
    except Exception as error:  # a changed file can lead to an error of any kind
        return Check(name, DIFFERS, f"it cannot be read ({type(error).__name__}: {error})")


def same(what: str, recorded: object, found: object) -> None:
    """Raise Different, showing both in short, unless they are equal."""
    if recorded != found:
        shown = [
            text if len(text) < 80 else f"{text[:77]}…" for text in map(repr, (recorded, found))
        ]
        raise Different(f"{what} is {shown[0]} here and {shown[1]} there")


def close(what: str, recorded: float, found: float, tolerance: float = CLOSE) -> None:
    """Raise Different, with both figures and the difference, unless they are that close."""
    if not abs(recorded - found) <= tolerance:  # also if one of them is NaN
        by = found - recorded
        raise Different(f"{what}: {recorded:.6g} recorded, {found:.6g} found ({by:+.3g})")


def same_table(recorded: pd.DataFrame, found: pd.DataFrame) -> None:
    """Raise Different, naming the first cell, unless two tables hold the same.

    Cells are text; of numbers only the values count, to a relative 1e-9.
    """
    same("the list of columns", list(recorded), list(found))
    same("the number of rows", len(recorded), len(found))
    for column in recorded:
        ours, theirs = recorded[column].astype(str), found[column].astype(str)
        for row in np.flatnonzero((ours != theirs).to_numpy()):
            if not _equal_numbers(ours.iloc[row], theirs.iloc[row]):
                changed = int((ours != theirs).sum())
                more = f"; {changed:,} rows differ in this column" if changed > 1 else ""
                raise Different(
                    f"row {row + 1}, {column}: {ours.iloc[row]!r} recorded, "
                    f"{theirs.iloc[row]!r} found{more}"
                )


def _equal_numbers(one: str, other: str) -> bool:
    try:
        return bool(np.isclose(float(one), float(other), rtol=CLOSE, atol=CLOSE, equal_nan=True))
    except ValueError:
        return False
