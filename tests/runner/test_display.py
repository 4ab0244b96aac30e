"""What a run prints while its steps work."""

import threading
from pathlib import Path
from typing import Any

import pytest

from tin_lib import files
from tin_lib.runner.workbook import display, graph
from tin_lib.runner.workbook.display import Display, last_progress, log_path
from tin_lib.runner.workbook.options import FAILED, OK, Outcome

NAMES = ["01_first", "02_second"]


def write_log(run: Path, name: str, *lines: str) -> None:
    """A step's log, as its process writes it."""
    files.atomic_write(log_path(run, name), "".join(f"{line}\n" for line in lines))


def test_the_last_progress_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert last_progress(log) == ""
    log.write_text("some text\nepoch   2/17  loss 2.1\nepoch 3  10/99 images\nother text\n")
    assert last_progress(log) == "epoch 3 10/99 images"
    log.write_text("training: 3/54 fits  0.1 fits/s  0:10:00 left\nratio: 3/54\n")
    assert last_progress(log) == "training: 3/54 fits 0.1 fits/s 0:10:00 left"
    log.write_text("epoch 1/2  loss 1\n" + "x" * display.TAIL)
    assert last_progress(log) == ""


def test_a_log_gets_a_line_when_a_step_starts_and_sometimes_its_epoch(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Display(tmp_path, NAMES)
    shown.running(NAMES)
    assert capsys.readouterr().out == ""
    write_log(tmp_path, "02_second")
    shown.running(NAMES)
    shown.running(NAMES)
    assert capsys.readouterr().out == "[2/2] 02_second  started\n"
    write_log(tmp_path, "02_second", "epoch   1/3  loss 2.0")
    shown.running(NAMES)  # too soon
    monkeypatch.setattr(display, "EVERY", 0.0)
    shown.running(NAMES)
    shown.running(NAMES)
    assert capsys.readouterr().out == "[2/2] 02_second  epoch 1/3 loss 2.0\n"


def test_a_terminal_gets_one_line_drawn_again(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    shown = Display(tmp_path, NAMES)
    write_log(tmp_path, "01_first", "epoch   1/3  loss 2.0")
    write_log(tmp_path, "02_second", "epoch   2/9  loss 1.0 and more than fits on the line")
    shown.running(NAMES)
    *started, line = capsys.readouterr().out.split("\r")
    assert [text.removeprefix("\x1b[K") for text in started if text] == [
        "[1/2] 01_first   started\n",
        "[2/2] 02_second  started\n",
    ]
    assert line.endswith("…\x1b[K")
    assert line.startswith("01_first epoch 1/3 loss 2.0 · 02_second epoch 2/9")
    assert len(line) == 59 + len("\x1b[K")
    shown.ended(Outcome("01_first", OK, 41.24))
    assert capsys.readouterr().out == "\r\x1b[K[1/2] 01_first   ok            41.2 s\n"


def test_a_failure_has_its_reason_below(tmp_path: Path, capsys: Any) -> None:
    Display(tmp_path, NAMES).ended(Outcome("01_first", FAILED, 1.0, "an error\nlog x"))
    assert capsys.readouterr().out.splitlines()[1:] == ["  an error", "  log x"]


def test_an_interrupted_run_names_the_step_that_ran(
    start: Any, stand: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One job at a time: 05_apart was only waiting for 01_first."""
    begun = threading.Event()

    def run_step(job: dict[str, Any]) -> dict[str, Any]:
        if not Path(job["stop"]).exists():
            write_log(start.run, job["name"], "epoch   2/9  loss 1.0")
            begun.set()
            while not Path(job["stop"]).exists():
                threading.Event().wait(0.01)
        return stand(job)

    def interrupt(*args: Any, **options: Any) -> Any:
        begun.wait()
        raise KeyboardInterrupt

    monkeypatch.setattr(graph, "run_step", run_step)
    monkeypatch.setattr(graph, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        start()
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [
        "stopping 01_first (epoch 2/9 loss 1.0) …",
        "stopped; run the same command again to resume",
    ]


def test_a_run_looks_at_its_steps_while_they_work(
    start: Any, stand: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = threading.Event()
    running = Display.running

    def watched(self: Display, names: Any) -> None:
        running(self, names := list(names))
        if self.started_of(names):
            seen.set()

    def run_step(job: dict[str, Any]) -> dict[str, Any]:
        write_log(start.run, job["name"])
        seen.wait()
        return stand(job)

    monkeypatch.setattr(graph, "TICK", 0.01)
    monkeypatch.setattr(Display, "running", watched)
    monkeypatch.setattr(graph, "run_step", run_step)
    assert start().ok
    assert "[1/5] 01_first  started" in capsys.readouterr().out.splitlines()
