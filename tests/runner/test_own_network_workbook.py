"""A user's own network joins the study from a folder outside the repository: no edit there."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import workbook_toys

from tin_lib.__main__ import main
from tin_lib.analysis import runs

NETWORK = '''"""A small network: two convolutions and the mean over all positions."""

from torch import nn


def build(num_classes, width=1.0, channels=16):
    count = max(1, round(channels * width))
    return nn.Sequential(
        nn.Conv2d(3, count, 5, stride=4),
        nn.ReLU(),
        nn.Conv2d(count, 2 * count, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * count, num_classes),
    )
'''
WORKBOOK = """
title: My study
about: Mine and the paper's.
steps:
  - name: 03_vgg_like
    group: networks
    parameters: {recipe: quick, width: 0.1}
    outputs: [networks/vgg_like/summary.json]
  - name: 10_mine
    notebook: network
    group: networks
    parameters: {network: "tiny_net:build", recipe: quick}
    outputs: ["networks/{network}/summary.json"]
  - name: 06_ensemble
    needs: [networks]
    inputs: [networks/*/summary.json]
    parameters: {fallback: tiny_net_build}
    outputs: [ensemble/summary.csv]
  - name: 11_loads
    needs: [networks]
"""
# A later notebook can load the weights: the runner registers the user's module.
LOADS = """from tin_lib.analysis import runs
print(runs.open_run(runs.locate(run)).fit("tiny_net_build").network().name)"""


@pytest.mark.slow
def test_a_fifth_network_is_one_file_and_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "tiny_net.py").write_text(NETWORK)
    (tmp_path / "mine.yaml").write_text(WORKBOOK)
    workbook_toys.write_notebook(tmp_path / "11_loads.ipynb", LOADS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIN_NETWORKS", raising=False)
    small = ["-p", "all.classes=4", "-p", "all.per_class=20", "-p", "all.epochs=1"]
    assert main(["run", "--workbook", "mine.yaml", "--jobs", "2", *small]) == 0, capsys.readouterr()
    run = tmp_path / "runs" / "sample"
    results = pd.read_csv(run / "results.csv")
    assert results.name.tolist()[:2] == ["vgg_like", "tiny_net_build"]
    assert results.kind.tolist() == ["network", "network", "ensemble", "ensemble"]
    fit = runs.open_fit(run / "networks" / "tiny_net_build")
    assert fit.recipe["network"] == "tiny_net:build"
    assert (run / "report" / "10_mine.html").is_file()
    assert "tiny_net:build" in (run / "logs" / "11_loads.log").read_text()
    capsys.readouterr()
    assert main(["run", "--workbook", "mine.yaml", *small]) == 0
    assert capsys.readouterr().out.count("up to date") == 4
