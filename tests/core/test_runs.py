"""The run directory: what is read from it, and that it belongs together."""

from pathlib import Path

import pytest

from tin_lib import catalog, files
from tin_lib.analysis import runs


def _write_fit(folder: Path, class_ids: list[str], fingerprint: str) -> None:
    files.write_json(folder / "summary.json", {})
    files.write_json(folder / "meta.json", {"class_ids": class_ids, "fingerprint": fingerprint})


def test_a_run_lists_fits_in_the_papers_order(tmp_path: Path) -> None:
    for name in ("vgg16", "convnet9", "resnet18", "alexnet"):
        _write_fit(tmp_path / "networks" / name, ["a", "b"], "f")
    (tmp_path / "networks" / "unfinished").mkdir()
    assert list(runs.open_run(tmp_path).fits) == ["convnet9", "vgg16", "alexnet", "resnet18"]


def test_an_unknown_network_is_named_with_the_known(tmp_path: Path) -> None:
    for name in ("vgg16", "convnet9"):
        _write_fit(tmp_path / "networks" / name, ["a", "b"], "f")
    run = runs.open_run(tmp_path)
    assert run.fit("vgg16") is run.fits["vgg16"]
    with pytest.raises(ValueError, match="no network 'vgg'; the run has convnet9, vgg16"):
        run.fit("vgg")


def test_fits_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    _write_fit(tmp_path / "networks" / "a", ["a", "b"], "f")
    _write_fit(tmp_path / "networks" / "b", ["b", "a"], "f")
    with pytest.raises(ValueError, match="different class orders"):
        runs.open_run(tmp_path)
    _write_fit(tmp_path / "networks" / "b", ["a", "b"], "g")
    with pytest.raises(ValueError, match="different data"):
        runs.open_run(tmp_path)


def test_what_is_missing_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run notebooks 02 to 05"):
        runs.open_run(tmp_path)
    with pytest.raises(FileNotFoundError, match="tin train"):
        runs.open_fit(tmp_path / "networks" / "vgg16")


def test_predictions_cut_short_are_named(tmp_path: Path) -> None:
    _write_fit(tmp_path, ["a", "b"], "f")
    meta = {"class_ids": ["a", "b"], "fingerprint": "f", "images": {"val": 2}}
    files.write_json(tmp_path / "meta.json", meta)
    rows = ["file,label,predicted,probability,top5", "x,a,a,1,a b", "y,a,b,1,b a"]
    path = tmp_path / "predictions_val.csv"
    path.write_text("\n".join(rows) + "\n")
    assert len(runs.open_fit(tmp_path).predictions("val")) == 2
    path.write_text("\n".join(rows))  # within the last row
    with pytest.raises(
        ValueError, match=r"predictions_val\.csv ends within a line: it was truncated"
    ):
        runs.open_fit(tmp_path).predictions("val")
    path.write_text("\n".join(rows[:2]))
    with pytest.raises(ValueError, match=r"predictions_val\.csv has 1 rows: it was truncated"):
        runs.open_fit(tmp_path).predictions("val")
    path.write_text("\n".join(row.rsplit(",", 1)[0] for row in rows))
    with pytest.raises(ValueError, match=r"predictions_val\.csv has no column top5"):
        runs.open_fit(tmp_path).predictions("val")


def test_class_ids_in_predictions_stay_text(tmp_path: Path) -> None:
    """Whatever a class is called: digits are no number, NA is not missing."""
    ids = ["00000", "1e5", "NA", "nan"]
    _write_fit(tmp_path, ids, "f")
    rows = [f"{name},{name},{name},0.5,{' '.join(ids)}" for name in ids]
    text = "\n".join(["file,label,predicted,probability,top5", *rows, "t,,00000,1,00000"])
    (tmp_path / "predictions_val.csv").write_text(text + "\n")
    fit = runs.open_fit(tmp_path)
    table = fit.predictions("val")
    assert table.label.tolist() == [*ids, ""]
    assert table.predicted.tolist() == [*ids, "00000"]
    assert table.file.tolist() == [*ids, "t"]
    assert table.top5[0] == "00000 1e5 NA nan"
    assert table.probability.dtype == float
    assert fit.codes(table.label).tolist() == [0, 1, 2, 3, -1]


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    _write_fit(tmp_path, ["a", "b"], "f")
    (tmp_path / "meta.json").write_text("[]")
    with pytest.raises(ValueError, match=r"meta\.json holds no JSON object"):
        runs.open_fit(tmp_path).meta  # noqa: B018


def test_a_history_line_cut_short_is_left_out(tmp_path: Path) -> None:
    fit, path = runs.Fit(tmp_path), tmp_path / "history.jsonl"
    with pytest.raises(FileNotFoundError, match=r"history\.jsonl does not exist; train again"):
        fit.history()
    path.write_text('{"epoch": 1}\n{"epoch": 2}\n{"epo')
    assert fit.history().epoch.tolist() == [1, 2]
    path.write_text('{"epo')
    with pytest.raises(ValueError, match=r"history\.jsonl holds no epoch: it was truncated"):
        fit.history()


def test_fits_are_titled_by_their_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is named after its network has the network's title; others keep their name."""
    monkeypatch.setattr(catalog, "TITLES", catalog.TITLES | {"a+b": "My network"})
    networks = {
        "a_b": "a+b",
        "torchvision_vit_b_16": "torchvision:vit_b_16",
        "first": "vgg16",
        "second": "vgg16",
        "vgg16": "vgg16",
    }
    for folder, network in networks.items():
        _write_fit(tmp_path / "networks" / folder, ["a"], "f")
        meta = {"class_ids": ["a"], "fingerprint": "f", "network": network}
        files.write_json(tmp_path / "networks" / folder / "meta.json", meta)
    runs.open_run(tmp_path)
    titles = ["My network", "torchvision:vit_b_16", "first", "second", "VGG-16"]
    assert [catalog.title(folder) for folder in networks] == titles
