"""What a saliency browser shows: a view's parameters, and the images that fit them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np

SHOWS = {
    "all": "all images",
    "right": "all chosen networks right",
    "wrong": "a chosen network wrong",
    "disagree": "chosen networks disagree",
}


@dataclass(frozen=True)
class View:
    """Parameters that reopen a view. Classes are wnids, images file names.

    Attributes:
        label: the images' class; empty for any.
        taken_for: the class that a chosen network gives them; empty for any.
        show: a key of SHOWS.
        file: the image; empty, or not among those that fit, shows the first that fits.
        networks, methods: what to show, in this order.
        box: outline the object's box.
        overlay: strength of the map laid over the image, 0..1.
    """

    label: str = ""
    taken_for: str = ""
    show: str = "all"
    file: str = ""
    networks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ("gradient",)
    box: bool = True
    overlay: float = 0.5

    def query(self) -> str:
        """As the query of a web address; ``from_query`` reads it."""
        given = {k: ",".join(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return urlencode({k: v for k, v in given.items() if v != ""}, safe=",")

    def parameters(self) -> dict[str, Any]:
        """What differs from the defaults, to pass to a browser."""
        return {k: v for k, v in asdict(self).items() if v != getattr(View(), k)}


def from_query(query: str) -> dict[str, Any]:
    """Parameters from a web address's query; other names in it are left alone.

    Raises ValueError for an overlay that is not a number.
    """
    known = {field.name for field in fields(View)}
    given: dict[str, Any] = {k: v for k, v in parse_qsl(query) if k in known}
    for name in {"networks", "methods"} & set(given):
        given[name] = tuple(part for part in given[name].split(",") if part)
    if "box" in given:
        given["box"] = given["box"].lower() in ("true", "1")
    if "overlay" in given:
        given["overlay"] = float(given["overlay"])
    return given


def checked(
    view: View, networks: Sequence[str], methods: Sequence[str], ids: Sequence[str]
) -> View:
    """The view with its lists as tuples and all networks where none are named.

    Raises ValueError, naming the parameter and what is known, for anything unknown.
    """
    view = replace(view, networks=tuple(view.networks) or tuple(networks))
    view = replace(view, methods=tuple(view.methods), overlay=float(view.overlay))
    check_known("networks", view.networks, networks)
    check_known("methods", view.methods, methods)
    check_known("show", [view.show], list(SHOWS))
    check_known("label", [view.label] if view.label else [], ids)
    check_known("taken_for", [view.taken_for] if view.taken_for else [], ids)
    if not 0 <= view.overlay <= 1:
        raise ValueError(f"overlay={view.overlay}: must lie between 0 and 1")
    return view


def check_known(name: str, given: Sequence[str], known: Sequence[str]) -> None:
    """Raise ValueError, naming the parameter, unless all values given are known."""
    for value in given:
        if value not in known:
            shown = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
            raise ValueError(f"{name}: {value!r} is not one of {shown}")


def matching(
    view: View, labels: np.ndarray, predicted: dict[str, np.ndarray], ids: Sequence[str]
) -> np.ndarray:
    """Rows of the images that fit a view, int64, in the split's order.

    ``labels`` int64 (N,), -1 where unknown; ``predicted`` int64 (N,) by network.
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
    if view.taken_for:
        fits = fits & (given == ids.index(view.taken_for)).any(0)
    return np.flatnonzero(fits)
