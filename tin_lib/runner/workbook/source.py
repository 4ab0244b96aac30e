"""Which version of the source made a run."""

import subprocess
from pathlib import Path

import tin_lib


def commit() -> str:
    """The commit of the checkout that ``tin_lib`` comes from, ``(changed)`` if it was edited.

    The package's version alone if it is not a git checkout.
    """
    released = f"tin_lib {tin_lib.__version__}"
    folder = Path(tin_lib.__file__).parents[1]
    if not (folder / ".git").exists():
        return released
    head = git(folder, "rev-parse", "--short=12", "HEAD")
    changed = git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{head}{' (changed)' if changed else ''}" if head else released


def git(folder: Path, *arguments: str) -> str:
    """Output of a git command, empty if it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
