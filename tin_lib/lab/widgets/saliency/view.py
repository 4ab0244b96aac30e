"""Views of a saliency browser: their parameters, and the images that match them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

SHOWS = {
    "all": "all images",
    "right": "all chosen networks right",
    "wrong": "a chosen network wrong",
    "disagree": "chosen networks disagree",
}


@dataclass(frozen=True)
class View:
    """Parameters that reopen a view. Classes are given by id, images by file name.

    Attributes:
        label: class of the images; empty for any.
        predicted: class that a chosen network predicts; empty for any.
        show: a key of SHOWS.
        file: the image; if empty or not among the matching ones, the first of these is shown.
        networks, methods: the rows, in this order.
        box: outline the object's box.
        overlay: strength of the map laid over the image, 0..1.
        pinned: another image that stays beside the shown one; empty for none.
    """

    label: str = ""
    predicted: str = ""
    show: str = "all"
    file: str = ""
    networks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ("gradient",)
    box: bool = True
    overlay: float = 0.5
    pinned: str = ""

    def parameters(self) -> dict[str, Any]:
        """Return the parameters that differ from the defaults."""
        return {k: v for k, v in asdict(self).items() if v != getattr(View(), k)}


def checked(
    view: View, networks: Sequence[str], methods: Sequence[str], ids: Sequence[str]
) -> View:
    """Return the view with lists as tuples, and with all networks if none is named.

    Raises ValueError, naming the parameter and the known values, for an unknown value.
    """
    if not isinstance(view.overlay, Real) or not 0 <= view.overlay <= 1:
        raise ValueError(f"overlay={view.overlay!r}: must be a number from 0 to 1")
    view = replace(view, networks=tuple(view.networks) or tuple(networks))
    view = replace(view, methods=tuple(view.methods))
    view = replace(view, overlay=float(view.overlay), box=bool(view.box))
    if not view.methods:
        raise ValueError(f"methods: name at least one of {', '.join(methods)}")
    check_known("networks", view.networks, networks)
    check_known("methods", view.methods, methods)
    check_known("show", [view.show], list(SHOWS))
    check_known("label", [view.label] if view.label else [], ids)
    check_known("predicted", [view.predicted] if view.predicted else [], ids)
    return view


def check_known(name: str, given: Sequence[str], known: Sequence[str]) -> None:
    """Raise ValueError, naming the parameter, if a given value is unknown."""
    for value in given:
        if value not in known:
            shown = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
            raise ValueError(f"{name}: {value!r} is not one of {shown}")


def matching(
    view: View, labels: np.ndarray, predicted: dict[str, np.ndarray], ids: Sequence[str]
) -> np.ndarray:
    """Return the rows of images that match a view, int64, in the split's order.

    ``labels`` int64 (N,), -1 if unknown; ``predicted`` int64 (N,) by network.
    """
    given = np.stack([predicted[name] for name in view.networks])  # (networks, N)
    right = given == labels
    fits = {
        "all": np.ones(len(labels), bool),
        "right": right.all(0),
        "wrong": ~right.all(0) & (labels >= 0),
        "disagree": (given != given[0]).any(0),
    }[view.show]
    if view.label:
        fits = fits & (labels == ids.index(view.label))
    if view.predicted:
        fits = fits & (given == ids.index(view.predicted)).any(0)
    return np.flatnonzero(fits)
