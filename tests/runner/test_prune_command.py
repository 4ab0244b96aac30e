"""``tin prune``: what it writes, prints and refuses."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from tin_lib import networks, runs
from tin_lib.__main__ import main
from tin_lib.analysis import pruning

SMALL = ["--recipe", "quick", "--classes", "3", "--per-class", "12", "--set", "epochs=1"]


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit's folder."""
    out = tmp_path_factory.mktemp("prune") / "fit"
    narrow = ["--set", "width=0.1", "--set", 'network_options={"dropout": 0.1, "variant": "code"}']
    assert main(["train", "convnet9", "--out", str(out), *SMALL, *narrow]) == 0
    return out


@pytest.mark.parametrize("how", [[], ["--scope", "layer"], ["--structured"]])
def test_the_printed_command_trains_on(
    fit: Path, tmp_path: Path, capsys: Any, how: list[str]
) -> None:
    out = tmp_path / "new folder" / "pruned.safetensors"
    assert main(["prune", str(fit), "--keep", "0.5", "--out", str(out), *how]) == 0
    printed = capsys.readouterr().out
    assert "all layers" in printed
    command = shlex.split(printed.splitlines()[-1])
    words = [{"RECIPE": "quick", "FOLDER": str(tmp_path / "on")}.get(w, w) for w in command]
    assert main([*words[1:], "--set", "epochs=1"]) == 0
    trained = runs.open_fit(tmp_path / "on")
    assert trained.recipe["keep_zeros"] == (how != ["--structured"])
    share = pruning.weight_table(trained.network()).loc["all layers", "share"]
    assert share == (1.0 if how == ["--structured"] else pytest.approx(0.5, abs=0.001))
    assert trained.class_ids == runs.open_fit(fit).class_ids


def test_structured_pruning_is_a_narrower_network(fit: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "p.safetensors"
    assert main(["prune", str(fit), "--keep", "0.5", "--structured", "-o", str(out)]) == 0
    assert networks.load(out).width == 0.05
    total = capsys.readouterr().out.splitlines()[-4].split()
    assert total[:2] == ["all", "layers"]
    assert float(total[-1].rstrip("%")) < 50


def test_bad_values_are_refused_before_anything_is_written(
    fit: Path, tmp_path: Path, capsys: Any
) -> None:
    out, own = tmp_path / "p.safetensors", fit / "weights.safetensors"
    link, before = tmp_path / "link.safetensors", own.read_bytes()
    link.symlink_to(own)
    (tmp_path / "folder.safetensors").mkdir()
    for folder, keep, to, more, message in (
        (fit, "0", out, [], "keep=0.0: must be a share above 0"),
        (fit, "2", out, [], "keep=2.0: must be a share above 0"),
        (fit, "0.5", own, [], "is the fit's own file of weights"),
        (fit, "0.5", link, [], "is the fit's own file of weights"),
        (fit, "0.5", tmp_path / "folder.safetensors", [], "is a folder"),
        (fit, "0.5", tmp_path / "p.pt", [], "must end in .safetensors"),
        (
            fit,
            "0.5",
            out,
            ["--structured", "--scope", "layer"],
            "cannot be combined with --structured",
        ),
        (tmp_path / "absent", "0.5", out, [], "the fit is not there"),
    ):
        assert main(["prune", str(folder), "--keep", keep, "--out", str(to), *more]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert len(error.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.glob("*[!r].safetensors")) == ["link.safetensors"]
    assert own.read_bytes() == before
