"""The saliency browser as a web page of its own: ``tin browse``."""

import html
import os
import secrets
import socket
import tempfile
import threading
import webbrowser
from pathlib import Path
from typing import Any

from tin_lib import runs
from tin_lib.lab.widgets.parts import ASSETS
from tin_lib.lab.widgets.saliency.browser import SaliencyBrowser
from tin_lib.lab.widgets.saliency.view import from_query

HOST = "127.0.0.1"  # nobody but this machine
OPTIONS = (
    "--template=tin",
    "--Voila.log_level=WARN",
    # A kernel whose page was closed, crashed or lost ends by itself.
    "--MappingKernelManager.cull_idle_timeout=120",
    "--MappingKernelManager.cull_interval=30",
)


class Page(SaliencyBrowser):
    """The browser in a page of its own, where a link can reopen the view."""

    def link_html(self) -> str:
        """An address that opens this view again."""
        return f'<a href="?{html.escape(self._view.query())}">Link to this view</a>'


def page(run: str, data: str) -> Page:
    """The browser of the page that is being opened, with the view that its address asks for."""
    opened = runs.open_run(run)
    return Page(opened, opened.data(data), **from_query(os.environ.get("QUERY_STRING", "")))


def serve(
    run: Path,
    data: Path | None = None,
    port: int | None = None,
    show: bool = True,
    dark: bool = False,
) -> None:
    """Serve a run's browser on 127.0.0.1, behind a token, until interrupted.

    ``data``: where the images lie now, if they have moved. ``port``: None takes a free one.
    ``show`` opens a web browser. Raises FileNotFoundError and ValueError, before anything starts,
    for a run without trained networks, for data that do not belong to it, or a port in use.
    """
    opened = runs.open_run(runs.locate(run).resolve())
    root = opened.data(data).root.resolve()
    port = free_port(port)
    with tempfile.TemporaryDirectory(prefix="tin-browse-") as folder:
        notebook = write_notebook(Path(folder), opened.path, root)
        token = secrets.token_urlsafe(24)
        app = application(notebook, port, token, dark)
        address = f"http://{HOST}:{port}/?token={token}"
        print(f"{address}\nCtrl-C ends it.", flush=True)
        if show:
            threading.Timer(1.0, webbrowser.open, [address]).start()  # once it listens
        app.start()


def application(notebook: Path, port: int, token: str, dark: bool) -> Any:
    """Voila, set up to show one notebook."""
    from voila.app import Voila

    os.environ["JUPYTER_PATH"] = os.pathsep.join(_template_folders())
    app = Voila(token=token, ip=HOST, port=port, port_retries=0, open_browser=False)
    # A page that is left ends its kernel by a beacon, which cannot carry the XSRF token. Requests
    # still need the token or its cookie, and the origin must be this server.
    app.tornado_settings = {"disable_check_xsrf": True}
    app.initialize([str(notebook), *OPTIONS, f"--theme={'dark' if dark else 'light'}"])
    return app


def _template_folders() -> list[str]:
    """Where voila looks for page templates: ours, and those that were set before."""
    before = os.environ.get("JUPYTER_PATH", "")
    return [str(ASSETS), *([before] if before else [])]


def write_notebook(folder: Path, run: Path, data: Path) -> Path:
    """The notebook behind the page: one cell."""
    import nbformat

    source = (
        f"from tin_lib.lab.widgets.saliency.serve import page\npage({str(run)!r}, {str(data)!r})"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    notebook.metadata["title"] = "Saliency browser"
    path = folder / "saliency-browser.ipynb"
    nbformat.write(notebook, path)
    return path


def free_port(port: int | None) -> int:
    """The port if nobody listens there, or any free one; ValueError if it is taken."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port or 0))
        except OSError as error:
            raise ValueError(f"--port {port}: {error.strerror}; choose another one") from None
        return int(trial.getsockname()[1])
