"""environment.yml and pyproject.toml name the same dependencies with the same floors."""

import tomllib
from itertools import chain
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
CONDA_NAMES = {"torch": "pytorch", "playwright": "playwright-python"}


def test_conda_and_pip_dependencies_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    pairs = [spec.lower().split(">=") for spec in wanted]
    pip = {CONDA_NAMES.get(name, name): floor for name, floor in pairs}
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = dict(spec.split(">=") for spec in listed if ">=" in spec)
    assert conda.pop("python") == project["requires-python"].removeprefix(">=")
    assert conda == pip
