"""Keeps ``git status`` clean while notebooks run: a hook for JupyterLab (``make lab``).

The git filter that ``make lab`` sets up drops outputs from what is committed. But ``git status``
compares sizes before it asks a filter: a notebook saved with outputs would still count as changed.
"""

import subprocess
import threading
from pathlib import Path
from typing import Any


def after_save(model: dict[str, Any], os_path: str, **_: Any) -> None:
    """Jupyter's post-save hook; does its work in the background, for saving waits for it."""
    if model["type"] == "notebook":
        threading.Thread(target=refresh, args=(Path(os_path),)).start()


def refresh(notebook: Path) -> bool:
    """Let git's index know a notebook's new size and time if, filtered, it is what the index has.

    Returns whether it is. Nothing is staged; files that git does not know are left alone.
    """
    filtered = git(notebook, "hash-object", "--", notebook.name)
    same = bool(filtered) and filtered == git(notebook, "rev-parse", f":./{notebook.name}")
    if same:
        git(notebook, "update-index", "--", notebook.name)
    return same


def git(notebook: Path, *words: str) -> str:
    """What git says in the notebook's folder; empty if it fails or is not there."""
    try:
        done = subprocess.run(["git", *words], cwd=notebook.parent, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""
