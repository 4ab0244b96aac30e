"""Fixtures that several test modules share."""

import importlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from archive_server import Server, serve
from tiny_data import make_tiny

from tin_lib import catalog
from tin_lib.analysis import runs
from tin_lib.data import TinyImageNet
from tin_lib.networks import registry


def pytest_configure() -> None:
    """Ctrl-C and a hangup count, for the processes that tests start too, where whoever started the
    tests has them ignored (``nohup``, ``&``), which is inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: begun last, one would keep one process busy alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _networks_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that a test registers are unknown to the next one."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    monkeypatch.setattr(registry, "_imported", set(registry._imported))
    monkeypatch.setattr(catalog, "TITLES", dict(catalog.TITLES))
    monkeypatch.setenv(registry.ENVIRONMENT, os.environ.get(registry.ENVIRONMENT, ""))


@pytest.fixture(scope="session")
def tin_data() -> Path:
    """Folder of the real data set, from the environment variable TIN_DATA; else skips."""
    folder = os.environ.get("TIN_DATA")
    if not folder:
        pytest.skip(
            "TIN_DATA is not set: it names the folder of the real data set (tiny-imagenet-200)"
        )
    return Path(folder)


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``run`` is a copy of: trained once in each process of the tests."""
    from small_run import make_run

    return make_run(tmp_path_factory.mktemp("trained") / "run").path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, trained_run: Path) -> runs.Run:
    """A run of two narrow networks, trained for one epoch on a part of the sample; a module's own,
    which may write into it."""
    return runs.open_run(shutil.copytree(trained_run, tmp_path_factory.mktemp("run") / "run"))


@pytest.fixture(scope="module")
def data(run: runs.Run) -> TinyImageNet:
    """The data of ``run``."""
    return run.data()


@pytest.fixture(scope="session")
def tiny() -> TinyImageNet:
    """Four classes of 24 noisy, coloured images each: learnt in seconds."""
    return make_tiny()


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Callable[..., str]:
    """Run a benchmark in this process, which has imported torch; gives what it prints."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")

    def again(script: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [f"{script}.py", *arguments])
        assert not importlib.import_module(script).main()
        return capsys.readouterr().out

    return again


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between attempts to download, and no proxy between this process and itself."""
    from tin_lib.runner.download import fetch

    monkeypatch.setattr(fetch, "PAUSE", 0.001)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server(archive: bytes) -> Iterator[Server]:
    """The module's ``archive`` on a server of this machine."""
    with serve(archive) as running:
        yield running
