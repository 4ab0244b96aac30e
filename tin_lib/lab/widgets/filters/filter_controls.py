"""The controls of the filter browser."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import ipywidgets as widgets

from tin_lib.lab.widgets.base import WIDE

# A key, how it reads, and the column of ``filters.describe`` with the direction it stands for.
ORDERS = {
    "index": ("by number", "filter", True),
    "strength": ("strongest answer first", "largest", False),
    "selectivity": ("most selective first", "selectivity", False),
    "roughness": ("roughest kernel first", "kernel_roughness", False),
    "dead": ("dead first, then the rarest", "active", True),
}
MADE = {"fourier": "Fourier spectrum (smooth)", "pixel": "single pixels (anything goes)"}


class FilterView(NamedTuple):
    """Parameters that reopen a view.

    ``layer``: first, last, or a conv layer's name; ``filter``: its number; ``order``: a key of
    ORDERS; ``parametrisation``: of the made images, a key of MADE.
    """

    network: str = ""
    layer: str = "last"
    filter: int = 0
    order: str = "index"
    parametrisation: str = "fourier"


class Knobs(widgets.VBox):
    """What chooses a view."""

    def __init__(self, networks: Sequence[str]) -> None:
        self.network = _dropdown("network", list(networks), "whose filters")
        self.layer = _dropdown("layer", [], "which convolution's filters")
        self.filter = widgets.IntSlider(
            0, 0, 0, description="filter", tooltip="which filter, by its number", style=WIDE
        )
        orders = [(text, key) for key, (text, *_) in ORDERS.items()]
        self.order = _dropdown("order", orders, "order of the filters in the strip below")
        made = [(text, key) for key, text in MADE.items()]
        self.parametrisation = _dropdown("made from", made, "what made images are optimised as")
        self.quiet = False
        super().__init__(list(self.by_name().values()))

    def by_name(self) -> dict[str, widgets.Widget]:
        """The control of each of a view's parameters."""
        return {name: getattr(self, name) for name in FilterView._fields}

    def on_change(self, call: Callable[[str, Any], None]) -> None:
        """Call back with a parameter's name and new value whenever a person changes it."""

        def changed(change: Any, name: str) -> None:
            if not self.quiet:
                call(name, change.new)

        for name, control in self.by_name().items():
            control.observe(lambda change, name=name: changed(change, name), "value")

    def put(self, view: FilterView, layers: Mapping[str, int]) -> None:
        """Set the controls to a view, without calling back. ``layers``: filters of each layer."""
        self.quiet = True
        options = tuple((f"{name}: {count} filters", name) for name, count in layers.items())
        if self.layer.options != options:
            self.layer.options = options
        self.filter.max = layers[view.layer] - 1
        for name, control in self.by_name().items():
            control.value = getattr(view, name)
        self.quiet = False


def _dropdown(description: str, options: Sequence[Any], tooltip: str) -> widgets.Dropdown:
    return widgets.Dropdown(description=description, options=options, tooltip=tooltip, style=WIDE)
