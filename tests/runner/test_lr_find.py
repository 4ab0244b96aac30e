"""``tin lr-find``: what it prints, writes and refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tin_lib.__main__ import main
from tin_lib.analysis.lr_range import COLUMNS, Suggestion
from tin_lib.runner.commands import lr_find

SMALL = ["--recipe", "quick", "--classes", "3", "--per-class", "20", "--device", "cpu"]
SMALL += ["--set", "width=0.125"]


def test_it_prints_a_table_and_writes_the_whole_curve(tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "curve.csv"
    bounds = ["--low", "1e-6", "--high", "1e-2", "--updates", "40"]
    assert main(["lr-find", "vgg_like", *SMALL, *bounds, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    table = pd.read_csv(out)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 40
    np.testing.assert_allclose(table["lr"].iloc[[0, -1]], [1e-6, 1e-2])
    lines = printed.splitlines()
    assert lines[0].split() == list(COLUMNS)
    assert lines[1].split()[:2] == ["0", "1.00e-06"]
    assert len(lines) < 20
    assert "suggest" in printed


def test_bad_input_is_one_message_and_status_two(tmp_path: Path, capsys: Any) -> None:
    for arguments, message in (
        (["vgg19"], "no network 'vgg19'"),
        (["vgg_like", "--low", "1", "--high", "0.1"], "low=1, high=0.1"),
        (["vgg_like", "--updates", "3"], "updates=3"),
        (["vgg_like", "--out", str(tmp_path)], "is a folder"),
        (["vgg_like", "--set", "epoch=1"], "did you mean"),
        (["vgg_like", "--data", str(tmp_path / "absent")], "absent"),
    ):
        assert main(["lr-find", *arguments]) == 2
        output = capsys.readouterr().err
        assert output.startswith("tin: ")
        assert message in output
        assert len(output.strip().splitlines()) == 1


def test_help_explains_its_options(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["lr-find", "--help"])
    text = capsys.readouterr().out
    assert all(option in text for option in ("--low", "--high", "--updates", "--out", "--classes"))


def test_suggestions_in_words() -> None:
    text = lr_find.suggestion_text(Suggestion(0.02, 0.005))
    assert text.startswith("suggested lr: 2.0e-02")
    assert "5.0e-03" in text
    assert "no suggestion" in lr_find.suggestion_text(Suggestion(float("nan"), float("nan")))


def test_the_table_has_the_first_and_the_last_update() -> None:
    table = pd.DataFrame({name: np.arange(100.0) for name in COLUMNS}).astype({"update": int})
    lines = lr_find.table_text(table).splitlines()
    assert len(lines) <= lr_find.ROWS + 2
    assert [lines[i].split()[0] for i in (1, -1)] == ["0", "99"]
