"""``notebooks/pretrained.yaml``: a published network in place of a training."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tin_lib import recipes, train
from tin_lib.__main__ import main
from tin_lib.analysis import publishing, runs
from tin_lib.data import open_data
from tin_lib.runner.workbook import parameters
from tin_lib.runner.workbook.spec import load_workbook, of_profile

WORKBOOK = of_profile("pretrained")
RUN = ["run", "--profile", "pretrained"]


def test_its_file_is_that_of_the_hours_network() -> None:
    final = parameters.resolve(load_workbook(WORKBOOK), "pretrained", {}, {})
    assert Path(final["published"]["weights"]).parts[-3:] == (
        "results",
        "speedrun",
        "speednet.safetensors",
    )
    assert final["07_saliency"]["network"] == "speednet"


def test_it_is_the_fifth_network_of_the_study_with_all_that_the_ensemble_reads() -> None:
    study = load_workbook(WORKBOOK.parent / "five_with_published.yaml")
    assert study.groups()["networks"][-1] == "speednet"
    assert study.notebook("speednet").name == "published.ipynb"
    final = parameters.resolve(study, "laptop", {}, {})["speednet"]
    assert Path(final["weights"]).name == "speednet.safetensors"
    assert final["splits"] == "train, val, test"


@pytest.mark.slow
def test_a_newcomer_browses_without_training(tmp_path: Path, capsys: Any) -> None:
    data = open_data("sample", per_class=12)
    recipe = recipes.get("quick", "vgg_like", epochs=1, width=0.1)
    fit = train.fit(recipe, data, tmp_path / "elsewhere", device="cpu")
    file = publishing.publish(fit, tmp_path / "p.safetensors", data=data)
    run = tmp_path / "run"
    small = {"network": "vgg_like", "tested": 20, "sanity_images": 8, "browsed": 4}
    given = ["-p", f"published.weights={file}"]
    for name, value in small.items():
        given += ["-p", f"07.{name}={value}"]
    assert main([*RUN, "--run", str(run), *given]) == 0, capsys.readouterr()
    assert capsys.readouterr().out.count(" ok ") == 3
    made = runs.open_run(run)
    assert made.first.meta["published"]["file"] == "p.safetensors"
    assert not list(run.rglob("history.jsonl"))
    page = (run / "report" / "published.html").read_text()
    assert "was not trained here" in page
    # The sample's first twelve of each class.
    assert "trained on other data" in page
    assert (run / "saliency" / "browser" / "index.html").is_file()
    results = pd.read_csv(run / "results.csv")
    assert results.name.tolist() == ["vgg_like"]


@pytest.mark.slow
def test_a_missing_file_is_one_message(tmp_path: Path, capsys: Any) -> None:
    given = ["-p", f"published.weights={tmp_path / 'none.safetensors'}"]
    assert main([*RUN, "--run", str(tmp_path / "run"), *given]) == 1
    out = capsys.readouterr().out
    assert "none.safetensors does not exist; name a file that tin publish wrote" in out
    assert out.count("not run") == 2
