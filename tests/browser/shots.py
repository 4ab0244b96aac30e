"""Screenshots kept as output of a test run."""

import os
from pathlib import Path
from typing import Any


def screenshot(page: Any, name: str) -> None:
    """Save a screenshot of the page if TIN_SCREENSHOTS names a folder."""
    if folder := os.environ.get("TIN_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")
