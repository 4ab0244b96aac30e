"""What the browsers share: one picture, kept and made ahead, and its static form."""

import base64
import html
import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from tin_lib import files, runs
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets.parts import Saver
from tin_lib.lab.widgets.prefetch import Pause, Pictures

WIDE = {"description_width": "80px"}


def batch() -> bool:
    """Whether nobody can click: a run under papermill."""
    return bool(os.environ.get("TIN_BATCH"))


def opened(run: runs.Run | str | Path) -> runs.Run:
    """A run, given itself or its folder."""
    return run if isinstance(run, runs.Run) else runs.open_run(runs.locate(run))


def images(run: runs.Run, data: TinyImageNet | None) -> TinyImageNet:
    """The data that a run was trained on, opened anew unless given; ValueError for other ones."""
    data = data or run.data()
    if data.fingerprint != run.first.meta["fingerprint"]:
        raise ValueError(f"data: {data.root} holds other images than {run.path} was trained on")
    return data


class Browser(widgets.VBox):
    """Controls beside one picture. A subclass gives ``make(key, pause)``, a picture's PNG bytes,
    and calls ``show``.

    Displayed, it offers the picture as image/png beside the widget, so that a notebook run without
    anybody to click, and every page made of it, keeps the picture.
    """

    def __init__(self, name: str, keep: int = 48) -> None:
        super().__init__()
        self.add_class("tin-browser")
        self.name = name
        self.pictures = Pictures(self.make, keep)
        self.picture = widgets.Image(format="png")
        self.picture.layout.align_self = "flex-start"  # at its own size, pixel for pixel
        self.said = widgets.HTML()
        self.saver = Saver(
            lambda: (f"{self.name}.png", self.png()),
            description="Save picture",
            tooltip="Download what is shown as a PNG file",
        )

    def make(self, key: Any, pause: Pause) -> bytes:
        """The picture for a key, as PNG."""
        raise NotImplementedError

    def png(self) -> bytes:
        """The picture that is shown."""
        return bytes(self.picture.value)

    def save(self, path: str | Path) -> Path:
        """Write the picture that is shown as a PNG file."""
        files.atomic_write(path, self.png())
        return Path(path)

    def show(self, key: Hashable, words: str, expected: Sequence[Hashable] = ()) -> None:
        """Show a key's picture and say in words what it is; make the expected ones ahead."""
        self.picture.value = self.pictures.get(key)
        self.say(words)
        if not batch():
            self.pictures.expect(expected)

    def say(self, words: str) -> None:
        """HTML below the picture, read out by screen readers when it changes."""
        self.said.value = f'<div class="tin-said" role="status" aria-live="polite">{words}</div>'

    def close(self) -> None:
        """Close the widget and end its thread."""
        self.pictures.close()
        super().close()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        shown: Any = super()._repr_mimebundle_(**options)
        data, *rest = shown if isinstance(shown, tuple) else (shown,)
        picture = base64.b64encode(self.png()).decode()
        bundle = {**data, "image/png": picture, "text/plain": self.plain()}
        return (bundle, *rest) if rest else bundle  # type: ignore[return-value]

    def plain(self) -> str:
        """The browser in one line."""
        return f"{type(self).__name__}({self.name})"


def combobox(description: str, names: Sequence[str], tooltip: str) -> widgets.Combobox:
    """A field to type into that offers the names that fit; it takes no other."""
    return widgets.Combobox(
        description=description,
        options=list(names),
        placeholder="any: type to search",
        continuous_update=False,
        tooltip=tooltip,
        style=WIDE,
    )


def find(text: str, names: Mapping[str, str]) -> str:
    """The wnid whose name or self is the text, else of the first name that begins with it, or holds
    it; empty where there is none. ``names``: wnid -> name."""
    text = text.strip().lower()
    tests: list[Callable[[str, str], bool]] = [
        lambda wnid, name: text in (name, wnid),
        lambda wnid, name: name.startswith(text),
        lambda wnid, name: text in name,
    ]
    for test in tests if text else []:
        for wnid, name in names.items():
            if test(wnid, name.lower()):
                return wnid
    return ""


def checkbox(description: str, value: bool, tooltip: str) -> widgets.Checkbox:
    """A labelled box to tick."""
    layout = widgets.Layout(width="auto")
    return widgets.Checkbox(
        value=value, description=description, tooltip=tooltip, indent=False, layout=layout
    )


def group(title: str, children: Sequence[widgets.Widget]) -> widgets.VBox:
    """Controls under a heading."""
    heading = widgets.HTML(f"<b>{html.escape(title)}</b>")
    return widgets.VBox([heading, *children])
