"""``tin features`` and ``tin probe``."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tin_lib.__main__ import main

SMALL = ["--classes", "3", "--per-class", "12", "--device", "cpu"]
NETWORK = "torchvision:squeezenet1_1"


def test_features_then_probe(tmp_path: Path, capsys: Any) -> None:
    out = str(tmp_path / "features")
    call = ["features", NETWORK, "--weights", "random", "--size", "48", "--out", out, *SMALL]
    assert main(call) == 0, capsys.readouterr().err
    assert "train 36, val" in capsys.readouterr().out
    assert main(call) == 0  # nothing left to do
    assert main(["probe", out, "--curve"]) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    assert f"{NETWORK} at 48 px: val 0." in printed
    (row,) = pd.read_csv(tmp_path / "features" / "probe.csv").to_dict("records")
    assert row["images"] == 36
    assert row["low"] < row["val_accuracy"] < row["high"]
    curve = pd.read_csv(tmp_path / "features" / "learning_curve.csv")
    assert curve.per_class.tolist() == [1] * 3 + [5] * 3 + [10] * 3 + [12]
    assert main([*call[:-4], "--classes", "4", "--device", "cpu"]) == 2
    assert "holds features with other images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["features", "resnet", "--out", "x"], "must be torchvision:NAME, timm:NAME"),
        (["features", NETWORK, "--weights", "random", "--size", "0", "--out", "x"], "size=0"),
        (["features", NETWORK, "--weights", "absent.pth", "--out", "x"], "absent.pth does not"),
        (["features", NETWORK, "--precision", "int8", "--out", "x"], "precision='int8'"),
        (["probe", "x"], "x holds no features; run tin features"),
    ],
)
def test_bad_input_is_one_message(
    arguments: list[str], message: str, capsys: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    output = capsys.readouterr().err
    assert output.startswith("tin: ")
    assert message in output
    assert len(output.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()
