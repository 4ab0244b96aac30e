"""`tin verify` finds each kind of change in a finished fit, and says where."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tin_lib import files, networks, train
from tin_lib.__main__ import main
from tin_lib.analysis import runs
from tin_lib.data import open_data
from tin_lib.recipes import Recipe
from tin_lib.runner.verification import predicting, recorded
from tin_lib.runner.verification.checks import DIFFERS, MISSING, UNKNOWN, Check
from tin_lib.runner.verification.run import verify

KIND = "tampered result"
FILES = (
    "recipe.json",
    "meta.json",
    "history.jsonl",
    "weights.safetensors",
    "predictions_train.csv",
    "predictions_val.csv",
    "predictions_test.csv",
    "logits_val.npy",
    "logits_test.npy",
    "summary.json",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit that has learnt something: its predictions are not all alike."""
    recipe = Recipe("vgg_like", epochs=4, lr=0.01, width=0.25, momentum=0.9, precision="float32")
    data = open_data("sample", classes=4, per_class=20)
    out = tmp_path_factory.mktemp("trained") / "vgg_like"
    return train.fit(recipe, data, out, device="cpu", progress=None).path


@pytest.fixture
def fit(trained: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "vgg_like"))


def wrong(folder: Path, **how: Any) -> dict[str, Check]:
    """The checks that show a difference, by name."""
    return {check.name: check for check in verify(folder, **how) if check.wrong}


def test_an_untouched_fit_is_well(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(trained)]) == 0
    shown = capsys.readouterr().out
    assert "nothing differs" in shown
    assert "val predicted again: identical" in shown
    assert not [name for name in FILES if f"  {name}: " not in shown]
    assert main(["verify", str(trained), "--quick"]) == 0
    assert "left out by --quick" in capsys.readouterr().out


def flip_bit(path: Path, share: float) -> None:
    """Change one bit of a file; of a text's letter or digit, so that it stays text."""
    content = bytearray(path.read_bytes())
    place = int(len(content) * share)
    while path.suffix in (".json", ".jsonl", ".csv") and not chr(content[place]).isalnum():
        place += 1
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_bit_of_any_file(fit: Path, fault: Any, name: str) -> None:
    whole = (fit / name).read_bytes()
    for share in (0.1, 0.5, 0.9):
        with fault(KIND, f"one bit of {name} at {share:.0%}"):
            flip_bit(fit / name, share)
            assert wrong(fit, quick=True), name
        (fit / name).write_bytes(whole)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(fit: Path, fault: Any, name: str) -> None:
    with fault(KIND, f"{name} removed"):
        (fit / name).unlink()
        missing = [c for c in wrong(fit, quick=True).values() if c.state == MISSING]
        assert any(name in str(check) for check in missing)


def edit_json(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a JSON object and keep its layout."""
    value = files.read_object(path)
    change(value)
    files.write_json(path, value)


def forget_digests(folder: Path) -> None:
    """As if whoever changed a file had removed the digests: figures alone must show it."""
    edit_json(folder / "summary.json", lambda summary: summary.pop(recorded.KEY))


def swap_rows(path: Path) -> None:
    """Exchange what is predicted for the first two images that are predicted differently."""
    head, *rows = (line.split(",") for line in path.read_text().splitlines())
    other = next(i for i, row in enumerate(rows) if row[2] != rows[0][2])
    rows[0][2:], rows[other][2:] = rows[other][2:], rows[0][2:]
    path.write_text("".join(",".join(row) + "\n" for row in (head, *rows)))


def change_labels(path: Path) -> None:
    """Another label for every image of the first class."""
    table = files.read_table(path)
    one, other = sorted(set(table.label))[:2]
    table["label"] = table.label.replace(one, other)
    files.write_table(table, path)


def other_weights(folder: Path) -> None:
    """Weights of the same network from another seed."""
    path = folder / "weights.safetensors"
    meta = networks.weights.read_meta(path)
    torch.manual_seed(5)
    other = networks.create(meta["network"], meta["num_classes"], meta["width"])
    networks.save(other, path, class_ids=meta["class_ids"], fingerprint=meta["fingerprint"])


def round_weights(folder: Path) -> None:
    """Weights as 16-bit numbers, which are half as large to send."""
    path = folder / "weights.safetensors"
    header = {"tin": json.dumps(networks.weights.read_meta(path))}
    state = {k: v.bfloat16().float() for k, v in load_file(path).items()}
    save_file(state, path, header)


TAMPERED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "rows of predictions swapped": (lambda f: swap_rows(f / "predictions_val.csv"), "val scores"),
    "labels of val changed": (lambda f: change_labels(f / "predictions_val.csv"), "val images"),
    "labels of train changed": (
        lambda f: change_labels(f / "predictions_train.csv"),
        "train images",
    ),
    "an accuracy raised in the summary": (
        lambda f: edit_json(f / "summary.json", lambda s: s.update(val_accuracy=0.99)),
        "val accuracy",
    ),
    "a top-5 accuracy raised": (
        lambda f: edit_json(f / "summary.json", lambda s: s.update(train_top5=0.5)),
        "train accuracy",
    ),
    "another seed's weights": (other_weights, "val predicted again"),
    "weights rounded to bfloat16": (round_weights, "val predicted again"),
    "another order of classes": (
        lambda f: edit_json(f / "meta.json", lambda m: m["class_ids"].reverse()),
        "weights and recipe",
    ),
    "another normalisation": (
        lambda f: edit_json(f / "meta.json", lambda m: m["mean"].reverse()),
        "data",
    ),
    "another seed in the recipe": (
        lambda f: edit_json(f / "recipe.json", lambda r: r.update(seed=7)),
        "weights and recipe",
    ),
    "an epoch left out of the history": (
        lambda f: (f / "history.jsonl").write_text(
            "".join((f / "history.jsonl").read_text().splitlines(True)[1:])
        ),
        "history and summary",
    ),
    "scores of another image order": (
        lambda f: files.write_array(
            f / "logits_val.npy", np.load(f / "logits_val.npy")[::-1].copy()
        ),
        "val scores and predictions",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_figures_show_what_was_changed_without_digests(fit: Path, fault: Any, name: str) -> None:
    change, shown_by = TAMPERED[name]
    with fault(KIND, name):
        change(fit)
        forget_digests(fit)
        found = wrong(fit)
        assert [check for check in found if check.startswith(shown_by)], found


CONTENTS = ("", "[]", "null", "{}", '{"files": 3}', "[" * 3000, '{"images": 5, "class_ids": {}}')


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".json", ".jsonl"))])
def test_any_content_of_a_json_file_is_a_difference(fit: Path, fault: Any, name: str) -> None:
    for content in CONTENTS:
        with fault(KIND, f"{name} with {content[:9] or 'nothing'} in it"):
            (fit / name).write_text(content)
            assert wrong(fit), content


def test_weights_of_another_network(fit: Path, fault: Any) -> None:
    with fault(KIND, "another network's weights"):
        other = networks.create("convnet9", 4, 0.1)
        networks.save(other, fit / "weights.safetensors")
        forget_digests(fit)
        assert "convnet9" in wrong(fit, quick=True)["weights and recipe"].detail


def test_rounding_of_sums_is_no_difference(trained: Path) -> None:
    """Predicted one by one, as another CPU might: other sums, the same predictions."""
    fit = runs.open_fit(trained)
    split = runs.Run(trained.parent, {"vgg_like": fit}).data().val
    whole = np.array(fit.logits("val"))
    noise = 1 + np.random.default_rng(0).normal(0, 1e-6, whole.shape).astype(np.float32)
    text = predicting.compare(whole, whole * noise, predicting.tolerance(fit))
    assert text.startswith("largest difference")
    with pytest.raises(ValueError, match="predictions change"):
        predicting.compare(whole, whole + np.float32(0.1), predicting.tolerance(fit))
    assert len(split) == len(whole)


def test_data_that_moved_are_named(fit: Path, fault: Any, tmp_path: Path) -> None:
    with fault(KIND, "data that moved"):
        gone = str(tmp_path / "gone")
        edit_json(fit / "meta.json", lambda m: m["data"].update(data=gone))
        forget_digests(fit)
        assert "--data" in wrong(fit)["data"].detail
        assert not wrong(fit, data="sample")


def test_strange_files_are_named(fit: Path, fault: Any) -> None:
    with fault(KIND, "a file that no fit writes"):
        (fit / "extra\x1b[31m.bin").write_bytes(b"x")
        unknown = [check for check in verify(fit, quick=True) if check.state == UNKNOWN]
        assert len(unknown) == 1
        assert "\x1b" not in str(unknown[0])


def test_a_folder_without_fits_is_refused(tmp_path: Path, capsys: Any) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert "contains no fit" in capsys.readouterr().err


def test_the_states_are_words_for_scripts() -> None:
    assert str(Check("a", DIFFERS, "by 1")) == "DIFFERS       a: by 1"
