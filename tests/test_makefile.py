"""The Makefile: where torch comes from, and the git filter for notebooks."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tin_lib.lab.git_status import after_save, refresh

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
URL = "https://wheels.example.org/cpu"


def make(folder: Path, *words: str) -> str:
    """What make prints, on success."""
    command = ["make", "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pip_lines(*words: str) -> list[str]:
    """The installations that make would run for a new environment."""
    printed = make(ROOT, "--dry-run", "--always-make", ".venv/ready", *words)
    return [line for line in printed.splitlines() if "pip install" in line]


def test_torch_comes_from_another_index_only_if_one_is_named() -> None:
    usual = pip_lines()
    assert len(usual) == 1
    assert "-index" not in usual[0]
    first, second = pip_lines(f"TORCH_INDEX={URL}")
    assert first.endswith(f'--index-url "{URL}" torch torchvision')
    assert second == usual[0]


def test_notebooks_name_the_kernel_as_jupyterlab_writes_it() -> None:
    from jupyter_client.kernelspec import get_kernel_spec

    for path in (ROOT / "notebooks").glob("*.ipynb"):
        metadata = nbformat.read(path, as_version=4).metadata
        assert metadata.kernelspec.display_name == get_kernel_spec("python3").display_name, (
            path.name
        )


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with the filter for notebooks, and the beginning of a notebook in it."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    notebook: Any = nbformat.read(ROOT / "notebooks" / "01_preprocessing.ipynb", as_version=4)
    notebook.cells = notebook.cells[:2]
    nbformat.write(notebook, tmp_path / "short.ipynb")
    git(tmp_path, "init", "--quiet")
    make(tmp_path, f"BIN={BIN}", "--old-file", ".venv/ready", "notebook-filter")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "notebook")
    assert git(tmp_path, "status", "--porcelain") == ""
    return tmp_path


def run(path: Path) -> None:
    """Run a notebook and save it as JupyterLab does, with what it writes beside the outputs."""
    from jupyter_client.kernelspec import get_kernel_spec
    from nbclient import NotebookClient

    notebook: Any = nbformat.read(path, as_version=4)
    notebook.cells[1].source += "\nrun"
    NotebookClient(notebook, kernel_name="python3").execute()
    notebook.cells[1].source = notebook.cells[1].source.removesuffix("\nrun")
    notebook.metadata.kernelspec.display_name = get_kernel_spec("python3").display_name
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    nbformat.write(notebook, path)


def wait_for(what: Callable[[], bool]) -> None:
    """Fails unless it becomes true within two minutes."""
    last = time.monotonic() + 120
    while not what():
        assert time.monotonic() < last
        time.sleep(0.2)


def test_running_a_notebook_leaves_the_clone_clean(clone: Path) -> None:
    path = clone / "short.ipynb"
    before = path.read_text()
    run(path)
    assert "execute_result" in path.read_text()
    assert "codemirror_mode" in path.read_text()
    after_save({"type": "notebook"}, str(path))
    wait_for(lambda: git(clone, "status", "--porcelain") == "")
    path.write_text(path.read_text().replace("runs/sample", "runs/mine"))
    assert not refresh(path)
    assert git(clone, "status", "--porcelain") == " M short.ipynb\n"
    git(clone, "add", ".")
    assert git(clone, "show", ":short.ipynb") == before.replace("runs/sample", "runs/mine")

    git(clone, "config", "filter.nbstripout.clean", "gone/bin/python -m nbstripout")
    path.write_text("{}")  # and where .venv is gone, git goes on
    git(clone, "add", ".")
    assert git(clone, "show", ":short.ipynb") == "{}"


def test_only_notebooks_that_git_knows_are_refreshed(tmp_path: Path) -> None:
    path = tmp_path / "new.ipynb"
    path.write_text("{}")
    assert not refresh(path)  # no repository
    git(tmp_path, "init", "--quiet")
    assert not refresh(path)
    assert git(tmp_path, "status", "--porcelain") == "?? new.ipynb\n"
