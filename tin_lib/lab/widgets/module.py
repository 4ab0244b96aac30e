"""What the browsers share: an ES module in the page, which asks Python for what it shows.

The module is one text, joined from files: anywidget takes one, and pages from the file system may
not import others. The same text is the script of the report's pages.
"""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from tin_lib.analysis import runs
from tin_lib.data import TinyImageNet
from tin_lib.lab.figures.tiles import small_png, to_rgb
from tin_lib.progress import batch_run

ROOM = "tin_lib.lab.widgets"
SHARED = ("dom.js", "controls.js", "picture.js", "homes.js")
HERE = Path(__file__).parent


def asset(name: str, room: str = "") -> str:
    """Return the text of a file in the assets of the browsers, or of the browser ``room``."""
    folder = resources.files(f"{ROOM}.{room}" if room else ROOM) / "assets"
    return (folder / name).read_text(encoding="utf-8")


def joined(room: str) -> str:
    """Return the parts of a browser's module in one text, without an export."""
    return "\n".join([*(asset(name) for name in SHARED), asset(f"{room}.js", room)])


def module(room: str) -> str:
    """Return a browser's module as anywidget takes it."""
    return joined(room) + "\nexport default { render };\n"


def as_run(run: runs.Run | str | Path) -> runs.Run:
    """Return a run that is given itself or as its folder."""
    return run if isinstance(run, runs.Run) else runs.open_run(runs.locate(run))


def data_of(run: runs.Run, data: TinyImageNet | None) -> TinyImageNet:
    """Return the data of a run, opened unless given; ValueError if they are not its data."""
    data = data or run.data()
    if data.fingerprint != run.first.meta["fingerprint"]:
        raise ValueError(f"data: {data.root} holds other images than {run.path} was trained on")
    return data


class Browser(anywidget.AnyWidget):
    """A browser of a run's results. A subclass sets ``_esm`` and answers the page's requests.

    When displayed, it offers ``still()`` together with the widget: an executed notebook and every
    page made of it show that.

    Attributes:
        description: what the page knows from the start.
        state: parameters of the view that differ from the usual ones; those of ``view``.
        page: whether it is alone on a web page, whose address then keeps the state.
        live: whether a person can use it; by default unless the notebook runs in batch
            (``progress.batch_run``).
    """

    _css = asset("browser.css")
    description = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    page = traitlets.Bool(False).tag(sync=True)
    live: bool

    def __init__(self, run: runs.Run, page: bool = False) -> None:
        super().__init__(page=page)
        self.run = run
        # Decided once: a kernel learns with each executed cell whether there is a standard input.
        self.live = page or not batch_run()
        self.on_msg(self._received)

    def answer(self, kind: str, request: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """Return the answer to a request of the page, and its bytes; ValueError for a bad one."""
        raise NotImplementedError

    def still(self) -> str:
        """Return what is shown as HTML without scripts, for notebooks that were executed."""
        raise NotImplementedError

    def _received(self, widget: Any, request: dict[str, Any], buffers: Any) -> None:
        kind = str(request.get("kind"))
        reply: dict[str, Any]
        data: list[bytes] = []
        try:
            if kind == "link":
                reply = {"link": self.link(request["state"])}
            else:
                reply, data = self.answer(kind, request)
        except Exception as error:  # whatever it is: the page waits for an answer, and shows it
            reply = {"error": str(error) or type(error).__name__}
        self.send({"id": request.get("id"), **reply}, data)

    @property
    def view(self) -> dict[str, Any]:
        """Parameters that open this view again."""
        return dict(self.state)

    def link(self, state: Mapping[str, Any] | None = None) -> str:
        """Return the line of Python that opens a view again: by default what is shown."""
        name = type(self).__name__
        given = "".join(f", {key}={value!r}" for key, value in self.arguments(state).items())
        return f"from {ROOM} import {name}; {name}({str(self.run.path)!r}{given})"

    def arguments(self, state: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the arguments, after the run, that open a view again."""
        return dict(self.state if state is None else state)

    def close(self) -> None:
        """Close the widget with its layout, which ipywidgets would keep."""
        self.layout.close()
        super().close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        shown: Any = super()._repr_mimebundle_(**options)
        data, *rest = shown if isinstance(shown, tuple) else (shown,)
        bundle = {**(data or {}), "text/plain": self.link(), "text/html": self.still()}
        return (bundle, *rest) if rest else bundle


def text(given: str) -> str:
    """Return text for HTML."""
    return html.escape(given)


def still_tile(
    caption: str, image: np.ndarray, size: int = 128, box: Sequence[int] | None = None
) -> str:
    """Return an image, uint8 (C, H, W), with its caption as HTML.

    ``box``: inclusive pixels x0, y0, x1, y1 to outline, within the image.
    """
    picture = base64.b64encode(small_png(to_rgb(image))).decode()
    style = f"width:{size}px;height:{size}px;image-rendering:pixelated;max-width:none"
    caption = html.escape(caption)
    return (
        f'<figure style="margin:0;max-width:{size}px"><figcaption>{caption}</figcaption>'
        '<div style="position:relative">'
        f'<img style="{style}" alt="{caption}" src="data:image/png;base64,{picture}">'
        f"{_outline(box, size / image.shape[-1])}</div></figure>"
    )


def _outline(box: Sequence[int] | None, zoom: float) -> str:
    if box is None:
        return ""
    x0, y0, x1, y1 = box[0] * zoom, box[1] * zoom, (box[2] + 1) * zoom, (box[3] + 1) * zoom
    place = f"left:{x0:g}px;top:{y0:g}px;width:{x1 - x0:g}px;height:{y1 - y0:g}px"
    colours = "border:1px solid #f0e442;outline:1px solid #000;box-sizing:border-box"
    return f'<div style="position:absolute;{place};{colours}"></div>'


def still_row(parts: Iterable[str]) -> str:
    """Return HTML parts side by side, wrapped where the page is narrow."""
    return f'<div style="display:flex;flex-wrap:wrap;gap:8px">{"".join(parts)}</div>'


def still_lines(lines: Sequence[str]) -> str:
    """Return lines of text as a list."""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f'<ul style="margin:0;padding-left:1.2em;flex:1 1 14em">{items}</ul>'
