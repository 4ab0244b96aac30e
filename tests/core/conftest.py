"""What tests of networks share."""

import sys

import pytest

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
