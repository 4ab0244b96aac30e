"""The paper's sentence, that saliency maps are "not readily interpretable", put to the test."""

import pandas as pd

from tin_lib import catalog
from tin_lib.lab.formatting import counted, listed, titles

Pairs = list[tuple[str, str]]  # network and method
BLIND = ("edges", "centre")  # maps that know the image, or nothing, but not the network


def saliency(measures: pd.DataFrame, checked: pd.DataFrame) -> str:
    """Whether the maps beat chance, and whether they depend on what was learnt.

    ``measures``: by ``saliency.evaluate``; ``checked``: by ``saliency.randomisation``.
    """
    tested = measures[measures.kind == "method"]
    methods = list(dict.fromkeys(tested.method))
    pairs = list(dict.fromkeys(zip(tested.network, tested.method, strict=True)))
    placed = [pair for pair in pairs if on_object(measures, *pair)]
    ranked = [pair for pair in pairs if matters(measures, *pair)]
    return "\n".join(
        [
            *(one_method(measures, method, placed, ranked) for method in methods),
            unlearnt(checked),
            answer(len(pairs), placed, ranked),
        ]
    )


def one_method(
    measures: pd.DataFrame,
    method: str,
    placed: Pairs,
    ranked: Pairs,
) -> str:
    """What one method's maps do, network by network."""
    part = of(measures, "beyond the box")[lambda t: t.method == method].set_index("network")
    told = ", ".join(f"{catalog.title(n)} {100 * part['mean'][n]:+.1f}" for n in part.index)
    above, better = ([n for n, m in pairs if m == method] for pairs in (placed, ranked))
    return (
        f"- **{method}** puts this many points more of its map into the box than the box has "
        f"of the image: {told}; clearly more than an edge detector and a blob in the middle: "
        f"{titles(above) or 'for no network'}. It ranks pixels clearly better than any map that "
        f"does not know the network (insertion higher and deletion lower): "
        f"{titles(better) or 'for no network'}."
    )


def of(measures: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The rows of one measure."""
    return measures[measures.measure == measure]


def on_object(measures: pd.DataFrame, network: str, method: str) -> bool:
    """Whether more of the map lies in the box than of an edge detector's or a central blob's."""
    rows = of(measures, "beyond the box")[lambda t: t.network == network].set_index("method")
    return all(rows.low[method] > rows.high[name] for name in BLIND)


def matters(measures: pd.DataFrame, network: str, method: str) -> bool:
    """Whether the order of pixels beats that of every baseline, inserted and deleted."""
    here = measures[measures.network == network]
    own, blind = here[here.method == method], here[here.kind == "baseline"]
    inserted = of(own, "insertion").low.iloc[0] > of(blind, "insertion").high.max()
    deleted = of(own, "deletion").high.iloc[0] < of(blind, "deletion").low.min()
    return bool(inserted and deleted)


def unlearnt(checked: pd.DataFrame) -> str:
    """What is left of the maps when all layers are random again."""
    reset = checked[checked.layers == "all layers"].groupby("method", sort=False)["mean"].mean()
    told = ", ".join(f"{method} {value:.2f}" for method, value in reset.items())
    return (
        "- With all layers set back to random, maps keep this rank correlation with the trained "
        f"network's, averaged over the networks: {told} (0 would be none)."
    )


def answer(count: int, placed: Pairs, ranked: Pairs) -> str:
    """The sentence itself: which pairs of network and method it does not hold for."""
    both = [
        f"{method} of {catalog.title(name)}" for name, method in placed if (name, method) in ranked
    ]
    return (
        f'\n**"Not readily interpretable"?** Of {counted(count, "pair")} of network and method, '
        f"{len(placed)} put their maps on the object, {len(ranked)} order the pixels by what they "
        f"matter, and {len(both)} do both, each clearly better than maps that do not know the "
        f"network{': ' + listed(both) if both else ''}. " + stands(count, len(both))
    ).rstrip()


def stands(count: int, against: int) -> str:
    """Where the paper's sentence stands, when ``against`` of ``count`` pairs speak against it."""
    if against == count:
        return ""
    whom = "the others" if against else "all of them"
    return f"For {whom} the paper's sentence stands."
