"""``tin status`` and ``tin report``: what is done, what to run next."""

from pathlib import Path
from typing import Any

import pytest

from tin_lib import files
from tin_lib.__main__ import main
from tin_lib.runner import study
from tin_lib.runner.status import status
from tin_lib.runner.workbook import state


def shown(run: Path) -> list[str]:
    """The lines, with single blanks."""
    return [" ".join(line.split()) for line in status(run)]


def write_fit(folder: Path, epochs: int, done: int, ended: bool = False) -> None:
    """The files of a fit that ``status`` reads."""
    files.write_json(folder / "recipe.json", {"epochs": epochs})
    rows = "".join(f'{{"epoch": {n}, "val_accuracy": 0.{n}}}\n' for n in range(1, done + 1))
    files.atomic_write(folder / "history.jsonl", rows)
    if ended:
        files.write_json(folder / "summary.json", {"epochs": done, "val_accuracy": 0.4321})


def test_a_finished_run(start: Any, stand: Any) -> None:
    start()
    lines = shown(start.run)
    assert lines[0].startswith(f"{start.run}: data sample, profile sample, started 20")
    assert lines[1].startswith("01_first done 1.5 s 20")
    assert lines[-1].startswith(f"next: open {start.run / 'report' / 'index.html'}")


def test_what_failed_and_what_did_not_run(start: Any, stand: Any) -> None:
    stand.failing["02_left"] = "cell In [3] (1/0): ZeroDivisionError: division by zero"
    start()
    lines = shown(start.run)
    assert lines[2] == "02_left FAILED: cell In [3] (1/0): ZeroDivisionError: division by zero"
    assert lines[4] == "04_last not run: needs 02_left"
    assert lines[-1].startswith(f"next: see {start.run / 'logs' / '02_left'}.log, then run again: ")


def test_an_interrupted_run_and_a_running_one(start: Any, stand: Any) -> None:
    start()
    state.write(start.run, "02_left", state.STARTED)
    log = start.run / "logs" / "02_left.log"
    files.atomic_write(
        log, "x" * 5000 + "\nepoch   3/17  loss 2.1  val 0.31\nepoch 4  10/99 images\n"
    )
    (line,) = [line for line in shown(start.run) if line.startswith("02_left")]
    assert line.startswith("02_left interrupted, since 20")
    assert line.endswith(": epoch 4 10/99 images")
    assert shown(start.run)[-1].startswith("next: tin")
    with files.only_one(start.run / study.LOCK, "the workbook"):
        lines = shown(start.run)
    assert lines[0].endswith(", RUNNING")
    assert any(line.startswith("02_left running, since 20") for line in lines)
    assert lines[-1].startswith("next: wait")


def test_fits_with_their_epochs(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_fit(run / "networks" / "vgg16", 17, 3)
    write_fit(run / "networks" / "convnet9", 30, 30, ended=True)
    write_fit(run / "networks" / ".previous" / "vgg16-2026", 5, 5)
    for number in range(3):
        write_fit(run / "experiments" / "fits" / f"f{number}", 2, 2, ended=number < 2)
    lines = shown(run)
    assert lines[0] == f"{run}: not made by tin run"
    assert "convnet9 30 epochs, val accuracy 0.432" in lines
    assert "vgg16 epoch 3 of 17 saved, val accuracy 0.300, not finished" in lines
    assert "experiments/fits: 2 of 3 fits finished" in lines
    assert lines[-1] == f"next: tin run --run {run}"
    assert not any("previous" in line for line in lines)


def test_a_folder_without_a_run_is_refused(tmp_path: Path, capsys: Any) -> None:
    for verb in ("status", "report"):
        assert main([verb, str(tmp_path / "absent")]) == 2
        assert "contains no run; `tin run --run" in capsys.readouterr().err
    assert not (tmp_path / "absent").exists()


def test_the_report_is_written_again(
    whole_report: None, start: Any, stand: Any, capsys: Any
) -> None:
    index = start().report
    before = index.read_text()
    index.unlink()
    stand.took()
    assert main(["report", str(start.run)]) == 0  # by the recorded workbook
    assert capsys.readouterr().out.splitlines()[-1] == str(index)
    assert index.read_text() == before
    assert stand.took() == []
    assert main(["status", str(start.run)]) == 0
    assert "05_apart" in capsys.readouterr().out


def test_a_workbook_that_has_moved_is_named(start: Any, stand: Any, tmp_path: Path) -> None:
    start()
    moved = start.notebooks.rename(tmp_path / "moved")
    with pytest.raises(FileNotFoundError, match="name the workbook's file by --workbook"):
        list(status(start.run))
    assert main(["report", str(start.run), "--workbook", str(moved)]) == 0
