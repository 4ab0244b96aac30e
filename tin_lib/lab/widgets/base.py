"""The common parts of the browsers: one picture, cached and prefetched, and its static form."""

import base64
import html
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from tin_lib import files
from tin_lib.analysis import runs
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets.parts import Saver
from tin_lib.lab.widgets.prefetch import Pause, Prefetcher
from tin_lib.progress import batch_run

WIDE = {"description_width": "80px"}


def as_run(run: runs.Run | str | Path) -> runs.Run:
    """Return a run that is given itself or as its folder."""
    return run if isinstance(run, runs.Run) else runs.open_run(runs.locate(run))


def data_of(run: runs.Run, data: TinyImageNet | None) -> TinyImageNet:
    """Return the data of a run, opened unless given; ValueError if they are not its data."""
    data = data or run.data()
    if data.fingerprint != run.first.meta["fingerprint"]:
        raise ValueError(f"data: {data.root} holds other images than {run.path} was trained on")
    return data


class Browser(widgets.VBox):
    """Controls and one picture. A subclass implements ``make`` and ``view``, and calls ``show``.

    When displayed, it offers the picture as image/png together with the widget: an executed
    notebook and every page made of it contain the picture. ``live``: whether a person can use the
    controls; None means unless the notebook runs in batch (see ``progress.batch_run``).
    """

    live: bool | None = None

    def __init__(self, run: runs.Run | str | Path, name: str, keep: int = 48) -> None:
        super().__init__()
        self.run = as_run(run)
        self.add_class("tin-browser")
        # Decided once: a kernel learns with each executed cell whether there is a standard input.
        self.live = not batch_run() if self.live is None else self.live
        self.name = name
        self.prefetcher = Prefetcher(self.make, keep)
        self.picture = widgets.Image(format="png")
        self.picture.layout.align_self = "flex-start"  # not scaled
        self.message = widgets.HTML()
        self.notice = widgets.HTML()
        self.saver = Saver(
            lambda: (f"{self.name}.png", self.png()),
            description="Save picture",
            tooltip="Download the picture as a PNG file",
        )

    def make(self, key: Any, pause: Pause) -> bytes:
        """Return the picture of a key, as PNG; see ``Prefetcher``."""
        raise NotImplementedError

    @property
    def view(self) -> dict[str, Any]:
        """Parameters that open this view again."""
        raise NotImplementedError

    def arguments(self) -> dict[str, Any]:
        """Return the arguments, after the run, that open this view again."""
        return self.view

    def problem(self) -> str:
        """Return why results cannot be kept on disk; empty if they can."""
        return ""

    def png(self) -> bytes:
        """Return the picture that is shown."""
        return bytes(self.picture.value)

    def save(self, path: str | Path) -> Path:
        """Write the picture that is shown as a PNG file."""
        files.atomic_write(path, self.png())
        return Path(path)

    def show(self, key: Hashable, message: str, expected: Sequence[Hashable] = ()) -> None:
        """Show a key's picture with a message; prefetch the expected ones if live."""
        self.picture.value = self.prefetcher.get(key)
        self.set_message(message)
        self.set_notice(self.problem())
        if self.live:
            self.prefetcher.expect(expected)

    def set_message(self, text: str) -> None:
        """Set the HTML below the picture, which screen readers read when it changes."""
        self.message.value = status(text)

    def set_notice(self, text: str) -> None:
        """Set the text below the message; one that is set already is not announced again."""
        self.notice.value = status(html.escape(text)) if text else ""

    def close(self) -> None:
        """Close the widget with all widgets in it, and end its thread.

        ipywidgets keeps each widget that is not closed, and with one of them the whole browser.
        """
        self.prefetcher.close()
        own = [each for each in vars(self).values() if isinstance(each, widgets.Widget)]
        for widget in (self, *own):  # not every browser shows all of its own
            for part in [*parts_of(widget)]:
                part.close()
        for each in own:
            each.close()
        super().close()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        shown: Any = super()._repr_mimebundle_(**options)
        data, *rest = shown if isinstance(shown, tuple) else (shown,)
        picture = base64.b64encode(self.png()).decode()
        bundle = {**data, "image/png": picture, "text/plain": self.plain()}
        return (bundle, *rest) if rest else bundle  # type: ignore[return-value]

    def arrange(self, controls: Sequence[widgets.Widget]) -> None:
        """Place the controls at the left, the picture and its messages at the right."""
        left = widgets.VBox([*controls, self.saver])
        right = widgets.VBox([self.picture, self.message, self.notice])
        left.layout.flex = "0 0 330px"
        right.layout.flex = "1 1 480px"
        self.children = [widgets.HBox([left, right], layout=widgets.Layout(flex_flow="row wrap"))]

    def link(self) -> str:
        """Return the call that opens this view again."""
        given = "".join(f", {name}={value!r}" for name, value in self.arguments().items())
        return f"{type(self).__name__}({str(self.run.path)!r}{given})"

    def link_html(self) -> str:
        """Return the link below the picture."""
        return f"<code>{html.escape(self.link())}</code>"

    def plain(self) -> str:
        """Return the browser as one line of text."""
        return self.link()


def parts_of(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """Yield all widgets inside a widget: children, and each one's layout and style."""
    for child in getattr(widget, "children", ()):
        yield from parts_of(child)
        yield child
    for name in ("layout", "style"):
        if isinstance(part := getattr(widget, name, None), widgets.Widget):
            yield part


def status(text: str) -> str:
    """Return HTML that screen readers announce when it changes."""
    return f'<div class="tin-message" role="status" aria-live="polite">{text}</div>'


def combobox(description: str, names: Sequence[str], tooltip: str) -> widgets.Combobox:
    """Return a text field that suggests names."""
    return widgets.Combobox(
        description=description,
        options=list(names),
        placeholder="any: type to search",
        continuous_update=False,
        tooltip=tooltip,
        style=WIDE,
    )


def dropdown(description: str, options: Sequence[Any], tooltip: str) -> widgets.Dropdown:
    """Return a list of options, (label, value) or values, of which one is selected."""
    return widgets.Dropdown(
        description=description, options=list(options), tooltip=tooltip, style=WIDE
    )


def find(text: str, names: Mapping[str, str]) -> str:
    """Return the class id whose name or id equals the text, else the first whose name begins with
    it or contains it; empty if there is none. ``names``: class id -> name."""
    text = text.strip().lower()
    tests: list[Callable[[str, str], bool]] = [
        lambda wnid, name: text in (name, wnid.lower()),
        lambda wnid, name: name.startswith(text),
        lambda wnid, name: text in name,
    ]
    for test in tests if text else []:
        for wnid, name in names.items():
            if test(wnid, name.lower()):
                return wnid
    return ""


def checkbox(description: str, value: bool, tooltip: str) -> widgets.Checkbox:
    """Return a labelled checkbox."""
    layout = widgets.Layout(width="auto")
    return widgets.Checkbox(
        value=value, description=description, tooltip=tooltip, indent=False, layout=layout
    )


def group(title: str, children: Sequence[widgets.Widget]) -> widgets.VBox:
    """Return controls under a heading."""
    heading = widgets.HTML(f"<b>{html.escape(title)}</b>")
    return widgets.VBox([heading, *children])
