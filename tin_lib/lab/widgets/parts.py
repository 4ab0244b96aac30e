"""Widgets with JavaScript: a strip of tiles to select from, and a button that saves a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from tin_lib.lab.figures.tiles import sheet

ASSETS = Path(__file__).parent / "assets"


class Strip(anywidget.AnyWidget):
    """Tiles in one picture; ``selected`` follows clicks and arrow keys (-1: none).

    It shows one page of ``total`` tiles, from number ``first`` on. Arrow keys can select a tile
    outside the page; whoever observes ``selected`` then calls ``fill`` with another page.
    """

    _esm = (ASSETS / "strip.js").read_text()
    _css = (ASSETS / "strip.css").read_text()
    picture = traitlets.Bytes().tag(sync=True)
    first = traitlets.Int(0).tag(sync=True)
    total = traitlets.Int(0).tag(sync=True)
    columns = traitlets.Int(6).tag(sync=True)
    tile = traitlets.Int(48).tag(sync=True)  # side of a tile in screen pixels
    selected = traitlets.Int(-1).tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def fill(
        self, images: np.ndarray, names: list[str], selected: int, first: int = 0, total: int = -1
    ) -> None:
        """Show images, uint8 (N, 3, H, W), and their names; ``total`` defaults to N."""
        picture = sheet(images, self.columns) if len(images) else b""
        with self.hold_sync():
            self.picture, self.names, self.first = picture, names, first
            self.total = len(images) if total < 0 else total
            self.selected = selected


class Saver(anywidget.AnyWidget):
    """A button; ``content()`` returns the name and bytes of the file that it saves.

    Every browser has one, so it also contains their common style and keyboard support.
    """

    _esm = (ASSETS / "saver.js").read_text()
    _css = (ASSETS / "saver.css").read_text()
    description = traitlets.Unicode().tag(sync=True)
    tooltip = traitlets.Unicode().tag(sync=True)

    def __init__(self, content: Callable[[], tuple[str, bytes]], **traits: Any) -> None:
        super().__init__(**traits)
        self.content = content
        self.on_msg(self._answer)

    def _answer(self, widget: Any, message: Any, buffers: Any) -> None:
        name, data = self.content()
        self.send({"name": name}, [data])
