"""The command line: what it prints, refuses and writes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tin_lib import recipes
from tin_lib.__main__ import build_parser, main
from tin_lib.runner.commands import options

VERBS = (
    "download",
    "sample",
    "pack",
    "features",
    "probe",
    "train",
    "sweep",
    "lr-find",
    "submit",
    "prune",
    "publish",
    "import",
    "vote",
    "run",
    "browse",
    "verify",
    "reproduce",
    "completion",
    "status",
    "report",
    "predict",
)


def test_help_names_every_verb(capsys: Any) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(f"    {verb}" in text for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_its_options(verb: str, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args([verb, "--help"])
    text = capsys.readouterr().out
    assert text.startswith(f"usage: tin {verb}")
    assert len(text.splitlines()) > 5


def test_help_starts_fast_and_needs_no_torch() -> None:
    code = (
        "import sys; from tin_lib.__main__ import build_parser; build_parser().format_help();"
        "assert not {'torch', 'plotly', 'papermill', 'ipywidgets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_bad_input_is_one_message_and_status_two(tmp_path: Path, capsys: Any) -> None:
    for arguments, message in (
        (["pack", str(tmp_path / "absent")], "absent"),
        (["train", "vgg19", "--out", str(tmp_path / "x")], "no network 'vgg19'"),
        (["train", "vgg16", "--out", str(tmp_path / "x"), "--set", "epoch=1"], "did you mean"),
        (["train", "vgg16", "--out", str(tmp_path / "x"), "--set", "epochs"], "FIELD=VALUE"),
        (["submit", str(tmp_path), "-o", str(tmp_path / "o.txt")], "the fit is not there"),
        (["run", "--profile", "papre"], "papre"),
        (["run", "-p", "02.epoch=1"], "epoch"),
    ):
        assert main(arguments) == 2
        output = capsys.readouterr().err
        assert output.startswith("tin: ")
        assert message in output
        assert len(output.strip().splitlines()) == 1


def test_a_refused_training_leaves_nothing(tmp_path: Path, capsys: Any) -> None:
    for setting, message in (
        ('trainable=["absent"]', "no layer 'absent'"),
        ('network_options={"x": 1}', "unexpected keyword argument 'x'"),
        ("weights=absent.pt", "does not exist"),
        ("lr=0", "lr=0: must lie between 1e-12 and 1000000.0"),
        ("lr=2e6", "must lie between 1e-12 and 1000000.0"),
    ):
        given = ["train", "vgg_like", "--classes", "3", "--per-class", "4", "--set", setting]
        assert main([*given, "--out", str(tmp_path / "deep" / "fit")]) == 2
        assert message in capsys.readouterr().err
    given = ["train", "vgg_like", "--classes", "1", "--out", str(tmp_path / "deep" / "fit")]
    assert main(given) == 2
    assert "a network needs at least 2 classes" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("network", "given", "chosen", "line"),
    [
        ("resnet18", [], "fast", "recipe fast; resnet18 has fast, best: --recipe NAME\n"),
        ("resnet18", ["--recipe", "best"], "best", ""),
        ("speednet", [], "hour", "recipe hour; speednet has hour: --recipe NAME\n"),
        ("vgg16", [], "paper", ""),
        ("torchvision:mobilenet_v3_small", [], "paper", ""),
    ],
)
def test_a_network_is_trained_by_a_recipe_of_its_own(
    network: str, given: list[str], chosen: str, line: str, capsys: Any
) -> None:
    args = build_parser().parse_args(["train", network, "--out", "x", *given])
    assert options.chosen_recipe(args) == recipes.get(chosen, network)
    assert capsys.readouterr().err == line


def test_train_submit_and_vote(tmp_path: Path, capsys: Any) -> None:
    fit = tmp_path / "fit"
    small = ["--recipe", "quick", "--classes", "3", "--per-class", "12", "--set", "epochs=1"]
    assert main(["train", "vgg_like", "--out", str(fit), *small]) == 0
    assert main(["submit", str(fit), "-o", str(tmp_path / "a.txt")]) == 0
    lines = (tmp_path / "a.txt").read_text().splitlines()
    assert len(lines) == len(pd.read_csv(fit / "predictions_test.csv"))
    files = [shutil.copy(tmp_path / "a.txt", tmp_path / f"{name}.txt") for name in "bcd"]
    files = [str(path) for path in files]
    voted = ["vote", *files, "--fallback", files[0], "-o", str(tmp_path / "v.txt")]
    assert main(voted) == 0
    assert (tmp_path / "v.txt").read_text() == (tmp_path / "a.txt").read_text()


def test_profile_writes_a_trace_and_a_table(tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "profile"
    small = ["--recipe", "quick", "--classes", "3", "--per-class", "60", "--set", "batch_size=16"]
    assert main(["train", "vgg_like", "--out", str(out), "--profile-steps", "2", *small]) == 0
    output = capsys.readouterr().out
    written = (out / "profile.txt").read_text()
    assert written in output
    assert "convolution" in written
    lines = [line.split() for line in written.splitlines()[1:6]]
    assert [line[0] for line in lines] == ["render", "objective", "differentiate", "update", "rest"]
    assert sum(float(line[2].rstrip("%")) for line in lines) == pytest.approx(100, abs=0.5)
    assert min(float(line[1]) for line in lines[:4]) > 0
    assert (out / "trace.json").stat().st_size > 1000


def test_output_that_cannot_be_printed_is_escaped(tmp_path: Path) -> None:
    """A batch system's log may take ASCII only."""
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    call = "from tin_lib import __main__ as tin; tin.escape_unprintable(); print('4 \\u2192 5')"
    done = subprocess.run(
        [sys.executable, "-c", call], env=os.environ | ascii_only, capture_output=True, text=True
    )
    assert done.stdout == "4 \\u2192 5\n"


def test_a_users_module_is_found_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """The network need not be importable from elsewhere, nor its recipe be written first."""
    (tmp_path / "their_net.py").write_text(
        "from torch import nn\n\n\n"
        "def build(num_classes, width=1.0):\n"
        "    return nn.Sequential(nn.Conv2d(3, 8, 9, 8), nn.ReLU(), nn.Flatten(), "
        "nn.Linear(8 * 49, num_classes))\n"
    )
    monkeypatch.chdir(tmp_path)
    small = ["--recipe", "quick", "--classes", "3", "--per-class", "12", "--set", "epochs=1"]
    for network in ("their_net:build", "their_net.py:build"):
        out = str(tmp_path / network.replace(":", "-"))
        assert main(["train", network, "--out", out, *small]) == 0, capsys.readouterr().err
        assert '"val_accuracy"' in capsys.readouterr().out


def test_module_and_script_are_the_same() -> None:
    by_module = subprocess.run([sys.executable, "-m", "tin_lib", "--help"], capture_output=True)
    script = Path(sys.executable).with_name("tin")
    environment = os.environ | {"COLUMNS": "80"}
    by_script = subprocess.run([script, "--help"], capture_output=True, env=environment)
    assert by_module.returncode == by_script.returncode == 0
    assert by_module.stdout.splitlines()[0] == by_script.stdout.splitlines()[0]
