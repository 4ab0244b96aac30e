"""Toy workbooks for the tests: a folder of small notebooks and a workbook.yaml."""

from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = 'data: str = "sample"\nrun: str = "runs/sample"\nepochs: int = 2  # passes\n'
# Counts its runs, reads the output of 01 if there is any, and writes one line.
WORK = """from pathlib import Path
folder = Path(run) / "out"
folder.mkdir(exist_ok=True)
with open(folder / f"{name}.txt", "a") as file:
    file.write(f"{epochs}\\n")
print("epochs", epochs)"""


def write_notebook(path: Path, *code: str, parameters: str = PARAMETERS) -> Path:
    """A notebook with a question, a parameters cell and the code cells given."""
    title = f"# About {path.stem}\n\nWhat does **{path.stem}** show? It shows `numbers`."
    cells = [new_markdown_cell(title), new_code_cell(parameters)]
    cells[1].metadata["tags"] = ["parameters"]
    cells += [new_code_cell(source) for source in code]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells), path)
    return path


def write_workbook(folder: Path, steps: dict[str, dict[str, Any]], **content: Any) -> Path:
    """``workbook.yaml`` with these steps and a working notebook for each."""
    for name in steps:
        write_notebook(folder / f"{name}.ipynb", f'name = "{name}"\n{WORK}')
    listed = [{"name": name, **step} for name, step in steps.items()]
    profiles = {"sample": "small", "paper": "as in the paper"}
    whole = {"title": "Toys", "about": "A *toy* study.", "profiles": profiles, "steps": listed}
    (folder / "workbook.yaml").write_text(yaml.safe_dump(whole | content))
    return folder


def diamond(folder: Path) -> Path:
    """01 → (02, 03) → 04, and 05 by itself."""
    steps: dict[str, dict[str, Any]] = {
        "01_first": {"outputs": ["out/01_first.txt"]},
        "02_left": {"needs": ["01_first"], "profiles": {"paper": {"epochs": 30}}},
        "03_right": {"needs": ["01_first"]},
        "04_last": {"needs": ["02_left", "03_right"]},
        "05_apart": {},
    }
    return write_workbook(folder, steps)


def count_runs(run: Path, name: str) -> int:
    """How often a toy notebook has run."""
    path = run / "out" / f"{name}.txt"
    return len(path.read_text().splitlines()) if path.is_file() else 0


class Stand:
    """Replaces ``run_step``: records the jobs, and fails the chosen ones."""

    def __init__(self) -> None:
        self.jobs: list[Any] = []
        self.failing: dict[str, str] = {}

    def __call__(self, job: Any) -> dict[str, Any]:
        self.jobs.append(job)
        output = Path(job["output"])
        output.parent.mkdir(exist_ok=True)
        write_notebook(output)
        if job["name"] not in self.failing:
            folder = Path(job["run"]) / "out"
            folder.mkdir(exist_ok=True)
            (folder / f"{job['name']}.txt").write_text("done")
        return {"error": self.failing.get(job["name"]), "seconds": 1.5}

    def took(self) -> list[str]:
        """Names of the steps that ran since the last call."""
        names, self.jobs = [job["name"] for job in self.jobs], []
        return names
