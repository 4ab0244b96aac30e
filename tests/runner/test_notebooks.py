"""The notebooks: committed clean, built alike, and running from raw images to one report."""

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tin_lib.__main__ import main
from tin_lib.lab.exercises import marking
from tin_lib.runner.workbook.spec import load_workbook

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NUMBERED = [path for path in NOTEBOOKS if path.stem[0].isdigit()]
SOLUTIONS = FOLDER.parent / "docs" / "teaching" / "solutions.yaml"
TEMPLATES = {"network", "published"}  # notebooks for the steps of a user's own workbook.yaml


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    """The notebook's cells of a kind."""
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


def source(cell: dict[str, Any]) -> str:
    """A cell's text."""
    return "".join(cell["source"])


def test_numbered_ones_are_steps_and_the_others_are_templates() -> None:
    assert [path.stem[:2] for path in NUMBERED] == [f"{n:02}" for n in range(17)]
    assert [path.stem for path in NUMBERED] == list(load_workbook(FOLDER).steps)
    assert {path.stem for path in NOTEBOOKS} - {path.stem for path in NUMBERED} == TEMPLATES


def test_committed_clean() -> None:
    command = [sys.executable, "-m", "nbstripout", "--verify", "--keep-id"]
    command += ["--extra-keys", "metadata.papermill", *map(str, NOTEBOOKS)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout  # names them
    kernels = {json.loads(path.read_text())["metadata"]["kernelspec"]["name"] for path in NOTEBOOKS}
    assert kernels == {"python3"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_built_alike(path: Path) -> None:
    first = source(cells(path, "markdown")[0])
    for part in ("**Question.**", "**You will see**", "**Needs**", "**Takes**"):
        assert part in first
    code = cells(path, "code")
    if path == NUMBERED[0]:
        assert code.pop(0)["metadata"]["tags"] == ["hosted"]
    parameters = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert parameters == code[:1]
    for statement in ast.parse(source(parameters[0])).body:  # literals only, each explained
        assert isinstance(statement, ast.AnnAssign)
        ast.literal_eval(statement.value)  # type: ignore[arg-type]
    assert all("#" in line for line in source(parameters[0]).splitlines())
    for cell in code:
        assert len(source(cell).splitlines()) <= 15
        kinds = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
        assert not any(isinstance(node, kinds) for node in ast.walk(ast.parse(source(cell))))


def test_a_hosted_notebook_installs_the_workbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, done = source(cells(NUMBERED[0], "code")[0]), []
    monkeypatch.setattr(subprocess, "run", lambda command, check: done.append((command, check)))
    exec(cell, {})
    assert done == []  # tin_lib can be imported here
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("TIN_REPOSITORY", "https://example.org/workbook.git")
    monkeypatch.chdir(tmp_path)
    exec(cell, {})
    folder = str(tmp_path / "tiny-imagenet-workbook")
    (clone, _), (install, _) = done
    assert clone[:2] == ["git", "clone"]
    assert clone[-2:] == [os.environ["TIN_REPOSITORY"], folder]
    assert install[:4] == [sys.executable, "-m", "pip", "install"]
    assert install[-2:] == ["-e", f"{folder}[lab]"]
    assert all(check for _, check in done)
    assert sys.path[0] == folder


SMALL = ["all.classes=6", "all.per_class=20", "all.epochs=1", "all.width=0.1"]
SMALL += ["07.tested=12", "07.sanity_images=8", "07.methods=gradient, grad_cam", "07.browsed=6"]
SMALL += ["08.steps=2", "08.filters_shown=2", "08.survey_images=20", "08.seeds=2"]


def answered(folder: Path) -> Path:
    """Copies of the notebooks that answer each exercise three times: not, wrongly and rightly."""
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(".*", "runs"))
    for name, exercises in yaml.safe_load(SOLUTIONS.read_text()).items():
        path = folder / f"{name}.ipynb"
        notebook = json.loads(path.read_text())
        checks = [cell for cell in notebook["cells"] if cell["id"].endswith("-check")]
        for cell, known in zip((c for c in checks if is_exercise(c)), exercises, strict=True):
            answers = f"(None, {known['wrong']}, {known['solution']})"
            cell["source"] = f"for answer in {answers}:\n    {source(cell)}"
        path.write_text(json.dumps(notebook))
    return folder


def is_exercise(cell: dict[str, Any]) -> bool:
    """Whether a cell belongs to an exercise."""
    return "exercise" in cell["metadata"].get("tags", [])


def check_exercises(folder: Path) -> None:
    """What the executed exercises of all notebooks in ``folder`` printed."""
    for name, exercises in yaml.safe_load(SOLUTIONS.read_text()).items():
        found = [cell for cell in cells(folder / f"{name}.ipynb", "code") if is_exercise(cell)]
        # All outputs of a cell: on a loaded machine the lines arrive in several.
        printed = ["".join(line for o in cell["outputs"] for line in o["text"]) for cell in found]
        for text, known in zip(filter(None, printed), exercises, strict=True):
            unanswered, wrong, right = text.splitlines()
            assert unanswered == marking.OPEN
            assert wrong.startswith("Not yet. "), f"{name}, {known['exercise']}: {wrong}"
            assert right.startswith("Right: "), f"{name}, {known['exercise']}: {right}"


@pytest.mark.slow
def test_from_raw_images_to_one_report(tmp_path: Path, capsys: Any) -> None:
    notebooks = answered(tmp_path / "notebooks")
    command = ["run", "--run", str(tmp_path / "run"), "--jobs", "2", "--workbook", str(notebooks)]
    for parameter in SMALL:
        command += ["-p", parameter]
    assert main(command) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out.splitlines()
    assert sum(" ok " in line for line in printed) == 10
    assert printed[-1] == str(tmp_path / "run" / "report" / "index.html")
    results = pd.read_csv(tmp_path / "run" / "results.csv")
    networks = ["convnet9", "vgg_like", "vgg16", "alexnet"]
    assert results.name.tolist() == [*networks, "majority vote", "soft vote"]
    assert results.val_accuracy.between(0, 1).all()
    assert results.epochs[:4].eq(1).all()
    pages = {page.name for page in (tmp_path / "run" / "report").glob("*.html")}
    assert pages == {
        "index.html",
        "glossary.html",
        *(f"{path.stem}.html" for path in NUMBERED[:10]),
    }
    check_exercises(tmp_path / "run" / "notebooks")
    page = (tmp_path / "run" / "report" / "02_convnet9.html").read_text()
    assert "Exercise" not in page  # the report is what was found
    lines = (tmp_path / "run" / "ensemble" / "test_majority_vote.txt").read_text().splitlines()
    assert lines
    assert all(line.split()[0].startswith("test_") for line in lines)
    assert main(command) == 0  # nothing has changed: nothing runs again
    again = capsys.readouterr().out.splitlines()
    assert not any(" ok " in line for line in again)
