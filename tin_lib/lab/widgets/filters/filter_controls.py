"""The controls of the filter browser."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import ipywidgets as widgets

from tin_lib import catalog
from tin_lib.lab.widgets.base import WIDE, dropdown

# Key -> its text, the column of ``filters.describe`` to sort by, and whether ascending.
ORDERS = {
    "index": ("by number", "filter", True),
    "strength": ("highest activation first", "largest", False),
    "selectivity": ("most selective first", "selectivity", False),
    "roughness": ("roughest kernel first", "kernel_roughness", False),
    "dead": ("dead first, then the rarest", "active", True),
}
PARAMETRISATIONS = {"fourier": "Fourier spectrum (smooth)", "pixel": "pixels (unconstrained)"}


class FilterView(NamedTuple):
    """Parameters that reopen a view.

    ``layer``: first, last, or a conv layer's name; ``filter``: its number; ``order``: a key of
    ORDERS; ``parametrisation``: of the maximising images, a key of PARAMETRISATIONS.
    """

    network: str = ""
    layer: str = "last"
    filter: int = 0
    order: str = "index"
    parametrisation: str = "fourier"


class FilterControls(widgets.VBox):
    """Controls that choose a view."""

    def __init__(self, networks: Sequence[str]) -> None:
        titled = [(catalog.title(name), name) for name in networks]
        self.network = dropdown("network", titled, "whose filters")
        self.layer = dropdown("layer", [], "which convolution's filters")
        self.filter = widgets.IntSlider(
            0, 0, 0, description="filter", tooltip="which filter, by its number", style=WIDE
        )
        orders = [(text, key) for key, (text, *_) in ORDERS.items()]
        self.order = dropdown("order", orders, "order of the filters in the strip below")
        texts = [(text, key) for key, text in PARAMETRISATIONS.items()]
        tip = "parametrisation of the maximising images"
        self.parametrisation = dropdown("optimised as", texts, tip)
        self.quiet = False
        super().__init__(list(self.by_name().values()))

    def by_name(self) -> dict[str, widgets.Widget]:
        """Return the control of each parameter of a view."""
        return {name: getattr(self, name) for name in FilterView._fields}

    def on_change(self, call: Callable[[str, Any], None]) -> None:
        """Call back with a parameter's name and new value when a person changes it."""

        def changed(change: Any, name: str) -> None:
            if not self.quiet:
                call(name, change.new)

        for name, control in self.by_name().items():
            control.observe(lambda change, name=name: changed(change, name), "value")

    def put(self, view: FilterView, layers: Mapping[str, int]) -> None:
        """Set the controls to a view without calling back. ``layers``: filters by layer."""
        self.quiet = True
        options = tuple((f"{name}: {count} filters", name) for name, count in layers.items())
        if self.layer.options != options:
            self.layer.options = options
        self.filter.max = layers[view.layer] - 1
        for name, control in self.by_name().items():
            control.value = getattr(view, name)
        self.quiet = False
