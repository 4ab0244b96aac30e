"""A browser as a web page: ``tin browse``."""

import os
import secrets
import socket
import tempfile
import threading
import webbrowser
from pathlib import Path
from typing import Any

from tin_lib.analysis import runs
from tin_lib.lab.kernel import use_own_kernel
from tin_lib.lab.widgets.confusion.browser import ConfusionBrowser
from tin_lib.lab.widgets.filters.browser import FilterBrowser
from tin_lib.lab.widgets.module import HERE, Browser
from tin_lib.lab.widgets.saliency.browser import SaliencyBrowser

HOST = "127.0.0.1"  # reachable from this machine only
OPTIONS = (
    "--template=tin",
    "--Voila.log_level=WARN",
    # Kernels end after their page was closed or lost.
    "--MappingKernelManager.cull_idle_timeout=120",
    "--MappingKernelManager.cull_interval=30",
)


BROWSERS: dict[str, Any] = {
    "saliency": SaliencyBrowser,
    "filters": FilterBrowser,
    "confusion": ConfusionBrowser,
}


def page(name: str, run: str, data: str) -> Browser:
    """Return the browser ``name`` for the page being opened, whose script reads the address."""
    opened = runs.open_run(run)
    return BROWSERS[name](opened, opened.data(data), page=True)


def serve(
    run: Path,
    data: Path | None = None,
    port: int | None = None,
    show: bool = True,
    dark: bool = False,
    browser: str = "saliency",
) -> None:
    """Serve a run's browser on 127.0.0.1, protected by a token, until interrupted.

    ``browser``: a key of BROWSERS. ``data``: folder of the images, if they were moved. ``port``:
    None takes a free one. ``show`` opens a web browser. Raises FileNotFoundError or ValueError,
    before anything starts, for a run without trained networks, other data than the run's, or a port
    in use.
    """
    opened = runs.open_run(runs.locate(run).resolve())
    root = opened.data(data).root.resolve()
    port = free_port(port)
    with tempfile.TemporaryDirectory(prefix="tin-browse-") as folder:
        use_own_kernel(Path(folder))
        notebook = write_notebook(Path(folder), browser, opened.path, root)
        token = secrets.token_urlsafe(24)
        app = application(notebook, port, token, dark)
        address = f"http://{HOST}:{port}/?token={token}"
        print(f"{address}\nPress Ctrl-C to stop.", flush=True)
        if show:
            threading.Timer(1.0, webbrowser.open, [address]).start()  # after the server has started
        app.start()


def application(notebook: Path, port: int, token: str, dark: bool) -> Any:
    """Return voila, configured to show one notebook."""
    from voila.app import Voila

    os.environ["JUPYTER_PATH"] = os.pathsep.join(_template_folders())
    # No configuration files: a voila.py in the working folder would run, and any could set another
    # address or an empty token.
    app = Voila(token=token, ip=HOST, port=port, port_retries=0, config_file_paths=[])
    app.open_browser = False
    # A page that is closed ends its kernel by a beacon, which cannot contain the XSRF token.
    # Requests still need the token or its cookie, and must come from this server's pages. They must
    # name this machine, not a stranger's host name whose address was changed to this one.
    app.tornado_settings = {"disable_check_xsrf": True, "allow_remote_access": False}
    app.initialize([str(notebook), *OPTIONS, f"--theme={'dark' if dark else 'light'}"])
    return app


def _template_folders() -> list[str]:
    """Return voila's search path for page templates: this package's, then the environment's."""
    before = os.environ.get("JUPYTER_PATH", "")
    return [str(HERE / "assets"), *([before] if before else [])]


def write_notebook(folder: Path, browser: str, run: Path, data: Path) -> Path:
    """Write the notebook of the page, which has one cell."""
    import nbformat

    given = f"{browser!r}, {str(run)!r}, {str(data)!r}"
    source = f"from tin_lib.lab.widgets.serve import page\npage({given})"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    notebook.metadata["title"] = f"Tiny ImageNet workbook: {browser}"
    path = folder / f"{browser}-browser.ipynb"
    nbformat.write(notebook, path)
    return path


def free_port(port: int | None) -> int:
    """Return the port if it is free, or any free one for None; ValueError if it is in use."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port or 0))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", "ports go from 0 to 65535")
            raise ValueError(f"--port {port}: {why}; choose another one") from None
        return int(trial.getsockname()[1])
