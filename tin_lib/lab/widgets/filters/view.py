"""Views of a filter browser: their parameters, and which values these may have."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tin_lib.lab.widgets.saliency.view import check_known

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

    def changed(self, given: Mapping[str, Any]) -> "FilterView":
        """Return the view with the parameters given; ValueError for an unknown parameter or
        value, except for the network, layer and filter."""
        check_known("parameter", list(given), self._fields)
        view = self._replace(**given)
        check_known("order", [view.order], list(ORDERS))
        check_known("parametrisation", [view.parametrisation], list(PARAMETRISATIONS))
        return view

    def resolved(self, layers: Mapping[str, int], given: Mapping[str, Any]) -> "FilterView":
        """Return the view with a layer's name for first and last.

        ``layers``: number of filters by name. A layer or filter that the network does not have is
        replaced by the last layer, and by the first filter, unless it is ``given``: ValueError.
        """
        if not layers:
            raise ValueError(f"network={self.network!r} has no convolution layer")
        names = list(layers)
        layer = {"first": names[0], "last": names[-1]}.get(self.layer, self.layer)
        if layer not in layers and "layer" not in given:
            layer = names[-1]
        check_known("layer", [layer], names)
        index = self.filter
        if index not in range(layers[layer]):
            if "filter" in given:
                raise ValueError(f"filter={index}: {layer} has 0 to {layers[layer] - 1}")
            index = 0
        return self._replace(layer=layer, filter=int(index))
