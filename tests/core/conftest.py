"""What tests of the core share."""

import sys
from pathlib import Path

import pytest
from data_folder import write_folder

from tin_lib import catalog
from tin_lib.networks import registry


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers or trusts ends with it."""
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(registry, "_imported", set())
    monkeypatch.setattr(catalog, "TITLES", dict(catalog.TITLES))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("TIN_NETWORKS", "")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny data set that is packed beside its images or into a cache of the test's own."""
    monkeypatch.delenv("TIN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_folder(tmp_path / "data")
