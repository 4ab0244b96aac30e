"""Bars end green, lines end at all."""

import sys
from typing import Any

import pytest

from tin_lib import progress
from tin_lib.progress import Bars, Lines, say
from tin_lib.runner.percent import percent_bar

ROW = {"epoch": 1, "train_loss": 1.0, "train_accuracy": 0.5, "images_per_second": 10.0}


@pytest.fixture
def notebook_bars(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The bars that are opened, of the notebook's kind; each keeps the styles it was given."""
    import tqdm.auto
    from tqdm.notebook import tqdm_notebook

    opened: list[Any] = []

    class Watched(tqdm_notebook):
        def __init__(self, *args: Any, **options: Any) -> None:
            self.styles: list[str | None] = []
            super().__init__(*args, display=False, **options)
            opened.append(self)

        def display(self, *args: Any, bar_style: str | None = None, **options: Any) -> None:
            self.styles.append(bar_style or ("closed" if options.get("close") else None))

    monkeypatch.setattr(tqdm.auto, "tqdm", Watched)
    monkeypatch.setattr(progress, "interactive", lambda: True)
    return opened


def test_an_epochs_bar_does_not_end_red(notebook_bars: list[Any], capsys: Any) -> None:
    bars = Bars()
    for done in (30, 88):  # the last update came before the end: bars are moved twice a second
        bars.images(1, done, 100, 1.0)
    bars.epoch(ROW, 2)
    (bar,) = notebook_bars
    assert bar.n == bar.total == 100
    assert bar.styles[-1] == "closed"
    assert "danger" not in bar.styles
    assert "epoch   1/2" in capsys.readouterr().out
    bars.images(2, 10, 100, None)
    assert len(notebook_bars) == 2


def test_a_counters_bar_ends_green(notebook_bars: list[Any]) -> None:
    report = percent_bar("pack")
    for done in (1, 50, 100, 100):
        report(done, 100)
    (bar,) = notebook_bars
    assert bar.n == 100
    assert bar.styles[-1] == "success"
    assert "danger" not in bar.styles


def test_a_counter_without_a_total_stays_open(notebook_bars: list[Any]) -> None:
    report = percent_bar("download")
    for done in (0, 10, 20):
        report(done, 0)
    (bar,) = notebook_bars
    assert bar.n == 20


def test_a_log_gets_a_line_each_tenth(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "interactive", lambda: False)
    report = percent_bar("pack")
    for done in range(101):
        report(done, 100)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "pack: 10 of 100 (10 %)"
    assert len(lines) == 10


def test_characters_that_the_terminal_lacks(capfd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(1, "w", encoding="ascii", closefd=False) as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        say("9 × 9 → 81…")
        Lines().epoch(ROW, 1)
    assert "9 ? 9 ? 81?" in capfd.readouterr().out
