"""Fixtures that several test modules share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tin_data() -> Path:
    """Folder of the real data set, from the environment variable TIN_DATA; skips where it is not set."""
    folder = os.environ.get("TIN_DATA")
    if not folder:
        pytest.skip("TIN_DATA is not set: it names the folder of the real data set (tiny-imagenet-200)")
    return Path(folder)
