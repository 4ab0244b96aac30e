"""Counts the faults that the tests try: a table by kind ends ``make faults``.

    def test_a_cut_checkpoint(fault):
        for tenth in range(10):
            with fault("truncated file of a fit", f"checkpoint {tenth}/10"):
                ...  # asserts

A fault counts as tried when the block begins and as survived when it ends without an exception.
``fault(...).lost = "1 epoch"`` inside the block says what had to be done again.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from odd_data import make_official

from tin_lib.data import TinyImageNet, open_data

TABLE = "faults_table"  # key of what a pytest-xdist worker hands to its controller
ROWS: list[dict[str, str | bool]] = []  # of this process, or of all workers in the controller


class Fault:
    """One fault: a context manager that records whether what is inside it passed."""

    def __init__(self, kind: str, name: str):
        self.kind, self.name, self.lost = kind, name, ""

    def __enter__(self) -> "Fault":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None and issubclass(error, pytest.skip.Exception):
            return
        row = {"kind": self.kind, "name": self.name, "survived": error is None, "lost": self.lost}
        ROWS.append(row)


@pytest.fixture(scope="session")
def fault() -> Callable[[str, str], Fault]:
    """``with fault(kind, name):`` around one thing that goes wrong."""
    return Fault


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny data set in the official layout; tests change copies of it."""
    return make_official(tmp_path_factory.mktemp("official"))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test packs is its own."""
    monkeypatch.setenv("TIN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def expected(official: Path, own_cache: None) -> TinyImageNet:
    """What a copy of ``official`` must hold."""
    return open_data(official)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults-table", type=Path, help="write the table of faults to this file")


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[TABLE] = json.dumps(ROWS)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    ROWS.extend(json.loads(getattr(node, "workeroutput", {}).get(TABLE, "[]")))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if not ROWS:
        return
    text = table(ROWS)
    terminalreporter.section("faults")
    terminalreporter.write_line(text)
    path = config.getoption("--faults-table", default=None)
    if path:
        path.write_text(text + "\n", encoding="utf-8")


def table(rows: list[dict[str, str | bool]]) -> str:
    """A Markdown table of what was tried, by kind."""
    lines = ["| Fault | Tried | Survived | Work lost at most |", "|---|---:|---:|---|"]
    for kind in sorted({str(row["kind"]) for row in rows}):
        of_kind = [row for row in rows if row["kind"] == kind]
        lost = sorted({str(row["lost"]) for row in of_kind if row["lost"]})
        survived = sum(bool(row["survived"]) for row in of_kind)
        lines.append(f"| {kind} | {len(of_kind)} | {survived} | {', '.join(lost) or 'none'} |")
    survived = sum(bool(row["survived"]) for row in rows)
    lines.append(f"| **all** | {len(rows)} | {survived} | |")
    return "\n".join(lines)
