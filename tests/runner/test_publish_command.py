"""``tin publish`` and ``tin import``: what they print, write and refuse."""

from pathlib import Path
from typing import Any

import pytest

from tin_lib import networks
from tin_lib.__main__ import main
from tin_lib.analysis import runs

SMALL = ["--recipe", "quick", "--per-class", "12", "--set", "epochs=1", "--set", "width=0.1"]


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit's folder, of all classes of the sample."""
    out = tmp_path_factory.mktemp("publish") / "fit"
    assert main(["train", "vgg_like", "--out", str(out), *SMALL]) == 0
    return out


def test_publish_and_import(fit: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["publish", str(fit)]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == str(fit / "published.safetensors")
    assert "before the weights were rounded" in printed
    out = tmp_path / "vgg.safetensors"
    assert main(["publish", str(fit), "--out", str(out), "--data", "sample"]) == 0
    printed = capsys.readouterr().out
    for part in ("VGG-like", "of the weights in this file", "MB, float16", "not the images"):
        assert part in printed
    assert f"networks.load({out.name!r})" in printed
    run = tmp_path / "run"
    assert main(["import", str(out), "--data", "sample", "--run", str(run)]) == 0
    printed = capsys.readouterr().out
    accuracy = f"{networks.read_meta(out)['accuracy']['val_top1']:.4f}"
    assert f"val top-1 {accuracy} (its card: {accuracy})" in printed
    assert f"tin browse {run}" in printed
    opened = runs.open_run(run)
    assert opened.data("sample").num_classes == opened.first.meta["num_classes"]
    assert opened.first.predictions("val").shape[0]
    assert not (opened.first.path / "predictions_test.csv").exists()


def test_bad_input_is_one_message(fit: Path, tmp_path: Path, capsys: Any) -> None:
    few = tmp_path / "few"
    assert main(["train", "vgg_like", "--out", str(few), *SMALL, "--classes", "3"]) == 0
    assert main(["publish", str(few)]) == 0
    capsys.readouterr()
    file, run = str(few / "published.safetensors"), str(tmp_path / "run")
    for arguments, message in (
        (["publish", str(tmp_path / "absent")], "the fit is not there"),
        (["publish", str(fit), "--precision", "int8"], "precision='int8'"),
        (["publish", str(fit), "--out", str(tmp_path / "x.bin")], "must end in .safetensors"),
        (["publish", str(fit), "--data", str(tmp_path)], str(tmp_path)),
        (
            ["import", file, "--data", "sample", "--run", run],
            "the built-in sample has 10 classes and not only these",
        ),
        (["import", str(tmp_path / "none"), "--data", "absent"], "none does not exist"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert len(error.splitlines()) == 1
    assert not (tmp_path / "run").exists()
