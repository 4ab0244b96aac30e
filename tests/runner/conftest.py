"""A toy workbook whose steps a stand-in runs."""

from pathlib import Path
from typing import Any

import pytest
import workbook_toys

from tin_lib.runner import study
from tin_lib.runner.study import run_workbook
from tin_lib.runner.workbook import graph
from tin_lib.runner.workbook.options import Options


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> workbook_toys.Stand:
    """What runs the steps."""
    stand = workbook_toys.Stand()
    monkeypatch.setattr(graph, "run_step", stand)
    return stand


@pytest.fixture
def whole_report() -> None:
    """Asks ``start`` for the report, which takes most of a toy workbook's time."""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """Runs the diamond with options; the data's fingerprint is ``start.fingerprint``."""
    if "whole_report" not in request.fixturenames:
        monkeypatch.setattr(study, "write_report", lambda run, workbook: run / "no report")
    notebooks = workbook_toys.diamond(tmp_path / "notebooks")

    def start(profile: str = "sample", data: str = "sample", **options: Any) -> Any:
        found = Options(workbook=notebooks, fingerprint=lambda data: start.fingerprint, **options)
        return run_workbook(data, tmp_path / "run", profile, found)

    start.fingerprint, start.notebooks, start.run = "f" * 64, notebooks, tmp_path / "run"
    return start
