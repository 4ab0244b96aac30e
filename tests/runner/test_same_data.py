"""Each run holds results of one data set, in a folder named by data and profile."""

from pathlib import Path

import pytest
import workbook_toys

from tin_lib import files
from tin_lib.data import open_data
from tin_lib.runner import study
from tin_lib.runner.workbook import graph, same_data, state
from tin_lib.runner.workbook.options import OK, SKIPPED, Options


@pytest.mark.parametrize(
    ("data", "profile", "folder"),
    [
        ("sample", "sample", "runs/sample"),
        ("sample", "paper", "runs/sample-paper"),
        ("some/tiny-imagenet-200/", "sample", "runs/tiny-imagenet-200-sample"),
        ("some/tiny-imagenet-200", "modern", "runs/tiny-imagenet-200-modern"),
        ("my pictures", "sample", "runs/my_pictures-sample"),
        ("elsewhere/sample", "sample", "runs/sample-sample"),
    ],
)
def test_the_default_folder_is_named_by_data_and_profile(
    data: str, profile: str, folder: str
) -> None:
    assert study.default_run(data, profile) == Path(folder)


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Runs two toy steps, with a stand-in for their process, on data of a given fingerprint."""
    notebooks = workbook_toys.write_workbook(tmp_path / "notebooks", {"01_a": {}, "02_b": {}})

    def run_step(job):
        workbook_toys.write_notebook(Path(job["output"]))
        return {"error": None, "seconds": 1.0}

    def start(data="sample", fingerprint="f" * 64, run=tmp_path / "run", **given):
        options = Options(workbook=notebooks, fingerprint=lambda data: fingerprint, **given)
        return study.run_workbook(data, run, "sample", options)

    monkeypatch.setattr(graph, "run_step", run_step)
    return start


def test_a_run_of_other_data_is_refused_by_name(start, tmp_path):
    start(only=["01"])
    before = sorted((tmp_path / "run" / "steps").glob("*.json"))
    with pytest.raises(ValueError, match=r"run holds results of other data.*01_a.*--run"):
        start(data=str(tmp_path), fingerprint="e" * 64)
    assert sorted((tmp_path / "run" / "steps").glob("*.json")) == before
    assert [o.status for o in start().outcomes] == [SKIPPED, OK]


def test_each_notebooks_data_and_parameters_are_recorded_and_reported(start, tmp_path):
    result = start(data=str(tmp_path / "pictures"), parameters={"02.epochs": 9})
    record = state.read(tmp_path / "run", "02_b")
    assert record["data"] == str(tmp_path / "pictures")
    assert record["fingerprint"] == "f" * 64
    assert record["parameters"]["epochs"] == 9
    page = result.report.read_text()
    assert "<td>pictures</td><td>epochs=9</td>" in page
    assert files.read_json(tmp_path / "run" / "run.json")["fingerprint"] == "f" * 64


def test_fits_of_other_data_are_refused_and_parts_of_the_same_data_are_not(tmp_path):
    whole, part = open_data("sample"), open_data("sample", classes=3, per_class=10)
    meta = {"data": part.request, "fingerprint": part.fingerprint}
    files.write_json(tmp_path / "networks" / "vgg16" / "meta.json", meta)
    same_data.check(tmp_path, "sample", whole.fingerprint)
    for other in (meta | {"fingerprint": "e" * 64}, {"fingerprint": "e" * 64}):
        files.write_json(tmp_path / "networks" / "vgg16" / "meta.json", other)
        with pytest.raises(ValueError, match=r"network vgg16.*choose another folder by --run"):
            same_data.check(tmp_path, "sample", whole.fingerprint)


def test_a_run_does_not_mix_parts_of_its_data(tmp_path):
    """One network alone is not trained on other classes than the rest of the run."""
    part = open_data("sample", classes=3, per_class=10)
    meta = {"data": part.request, "fingerprint": part.fingerprint, "num_classes": 3}
    files.write_json(tmp_path / "networks" / "vgg16" / "meta.json", meta)
    same = {"02": {"recipe": "quick", "classes": 3, "per_class": 10, "holdout": 0.0}}
    other = {"02": {"recipe": "quick", "classes": 2, "per_class": None}}
    made = {"networks/convnet9/summary.json"}
    same_data.check_parts(tmp_path, "sample", same, made)
    same_data.check_parts(tmp_path, "sample", {"06": {"fallback": "vgg16"}}, set())
    same_data.check_parts(tmp_path, "sample", other, {"networks/vgg16/summary.json"})
    with pytest.raises(ValueError, match=r"network vgg16 was trained on .*3 classes.*--run"):
        same_data.check_parts(tmp_path, "sample", other, made)


def test_a_fits_data_are_described():
    meta = {"data": {"data": "/x/tiny-imagenet-200"}, "num_classes": 10, "images": {"train": 1000}}
    assert same_data.describe(meta) == "tiny-imagenet-200, 10 classes, 1,000 images"
    assert same_data.describe({}) == ""


def test_changed_source_of_the_library_makes_all_steps_run_again(start, monkeypatch):
    assert [o.status for o in start().outcomes] == [OK, OK]
    assert [o.status for o in start().outcomes] == [SKIPPED, SKIPPED]
    monkeypatch.setattr(files, "source_digest", lambda core=False: "0" * 12)
    assert [o.status for o in start().outcomes] == [OK, OK]
    assert [o.status for o in start().outcomes] == [SKIPPED, SKIPPED]
