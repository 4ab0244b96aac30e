"""A headless Chromium, and JupyterLab on copies of the notebooks."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
# Without these flags Chromium asks the network for updates, and fails tests where there is none.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")  # not longer: two Playwrights at a time do not work
def chromium() -> Iterator[Any]:
    """Chromium from the path, driven by Playwright; missing, it skips, but fails in CI."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
    if path is None:
        message = "no chromium on the path: apt-get install chromium"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opened_page(chromium: Any) -> Iterator[Any]:
    """A page of 1300×1000 pixels; what its console reports as an error is in ``page.errors``."""
    context = chromium.new_context(viewport={"width": 1300, "height": 1000})
    context.set_default_timeout(120_000)  # other tests run at the same time, on few cores
    page = context.new_page()
    page.errors = []
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    yield page
    context.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A test's own page."""
    with opened_page(chromium) as page:
        yield page


@pytest.fixture(scope="module")
def kept_page(chromium: Any) -> Iterator[Any]:
    """A page for all tests of a module, whose notebook takes long to run."""
    with opened_page(chromium) as page:
        yield page


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a JupyterLab on a copy of the notebooks, with its token.

    Its settings are its own: a theme chosen by a test must not stay with whoever runs the tests.
    """
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns(".*", "runs"))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={folder}"]
    command += ["--expose-app-in-browser", "--LabApp.news_url=None"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    settings = folder.parent / "settings"
    news = settings / "@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false"}')  # else it asks, over what a screenshot shows
    command += [f"--LabApp.user_settings_dir={settings}"]
    command += [f"--LabApp.workspaces_dir={folder.parent / 'workspaces'}"]
    environment = {k: v for k, v in os.environ.items() if k != "TIN_BATCH"}
    log = folder.parent / "log"
    with log.open("w") as output:
        server = subprocess.Popen(command, stderr=output, stdout=output, env=environment)
    address = re.compile(r"http://127\.0\.0\.1:(\d+)/lab\?token=(\w+)")
    last = time.monotonic() + 60
    while not (found := address.search(log.read_text())):
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < last, log.read_text()
        time.sleep(0.1)
    yield f"http://127.0.0.1:{found[1]}/lab/tree/NAME?token={found[2]}"
    server.terminate()
    server.wait(30)
