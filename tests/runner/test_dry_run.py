"""What ``tin run --dry-run`` says, and that it changes nothing."""

from pathlib import Path
from typing import Any

import pytest
import workbook_toys

from tin_lib.__main__ import main
from tin_lib.runner.study import preview
from tin_lib.runner.workbook import options as how
from tin_lib.runner.workbook import state
from tin_lib.runner.workbook.options import Options


def reasons(start: Any, fingerprint: str = "", **options: Any) -> dict[str, str]:
    """Why each step of the diamond would run."""
    known = Options(
        workbook=start.notebooks,
        fingerprint=lambda data: fingerprint or start.fingerprint,
        **options,
    )
    return {each.name: each.reason for each in preview("sample", start.run, "sample", known)[1]}


def contents(folder: Path) -> dict[str, int]:
    """The files below a folder with their times of change."""
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_a_new_run_would_run_all_and_leaves_no_folder(start: Any, tmp_path: Path) -> None:
    assert set(reasons(start).values()) == {"it has not run yet"}
    assert not start.run.exists()


def test_a_finished_run_is_up_to_date(start: Any, stand: Any) -> None:
    assert start().ok
    before = contents(start.run)
    assert set(reasons(start).values()) == {""}
    assert contents(start.run) == before


def test_reasons_name_what_changed(start: Any, stand: Any) -> None:
    start(parameters={"02.epochs": 3})
    found = reasons(start, parameters={"02.epochs": 5})
    assert found["02_left"] == "changed: epochs 3 → 5"
    assert found["04_last"] == "02_left would run before"
    assert found["01_first"] == found["03_right"] == found["05_apart"] == ""
    assert reasons(start)["02_left"] == "changed: epochs 3 → default"
    workbook_toys.write_notebook(start.notebooks / "05_apart.ipynb", "1 + 1")
    found = reasons(start, parameters={"02.epochs": 3})
    assert found["05_apart"] == "changed: its notebook"
    assert reasons(start, force=True)["01_first"] == "--force"


def test_reasons_for_what_did_not_end(start: Any, stand: Any) -> None:
    stand.failing["02_left"] = "an error"
    start()
    state.write(start.run, "05_apart", state.STARTED)
    (start.run / "out" / "01_first.txt").unlink()
    found = reasons(start)
    assert found["01_first"] == "out/01_first.txt is missing"
    assert found["02_left"] == "it failed"
    assert found["03_right"] == "01_first would run before"
    assert found["04_last"] == "it was not run"
    assert found["05_apart"] == "it was interrupted"


def test_the_forecast_is_what_then_runs(start: Any, stand: Any) -> None:
    start()
    stand.took()
    workbook_toys.write_notebook(start.notebooks / "03_right.ipynb", "1 + 1")
    would = [name for name, reason in reasons(start).items() if reason]
    start()
    assert stand.took() == would == ["03_right", "04_last"]


def test_data_that_are_not_packed_stay_so(
    start: Any, stand: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIN_CACHE", str(tmp_path / "cache"))
    assert how.packed_fingerprint("sample") == ""
    assert not (tmp_path / "cache").exists()
    start()
    known = Options(workbook=start.notebooks, fingerprint=how.packed_fingerprint)
    _, found = preview("sample", start.run, "sample", known)
    assert found[0].reason == "the data are not packed yet, so that they cannot be compared"
    assert not (tmp_path / "cache").exists()


def test_packed_data_are_known(tmp_path: Path) -> None:
    assert how.data_fingerprint("sample") == how.packed_fingerprint("sample")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        how.packed_fingerprint(str(tmp_path / "absent"))


def test_the_command_prints_and_changes_nothing(
    start: Any, stand: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(how, "packed_fingerprint", lambda data: start.fingerprint)
    given = ["run", "--workbook", str(start.notebooks), "--run", str(start.run), "--dry-run"]
    assert main(given) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "01_first  would run: it has not run yet"
    assert lines[-1] == f"5 of 5 notebooks would run in {start.run}; nothing was changed"
    assert not start.run.exists()
    start()
    capsys.readouterr()
    assert main(given) == 0
    assert capsys.readouterr().out.splitlines()[1] == "02_left   up to date"
    assert stand.took().count("01_first") == 1


def test_a_refused_command_leaves_no_folder(start: Any, stand: Any) -> None:
    workbook_toys.write_workbook(
        start.notebooks, {"01_first": {}, "02_reads": {"inputs": ["out/*"], "needs": ["01_first"]}}
    )
    with pytest.raises(FileNotFoundError, match="run 01_first first"):
        start(only=["02"])
    with pytest.raises(FileNotFoundError, match="run 01_first first"):
        reasons(start, only=["02"])
    with pytest.raises(ValueError, match="jobs must be at least 1"):
        start(jobs=0)
    assert not start.run.exists()
