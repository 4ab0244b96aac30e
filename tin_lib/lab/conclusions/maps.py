"""A test of the paper's sentence that saliency maps are "not readily interpretable"."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tin_lib import catalog
from tin_lib.analysis import runs
from tin_lib.analysis.compare import above_chance
from tin_lib.analysis.saliency import Evaluation
from tin_lib.lab.formatting import count_noun, join_and, method_title, titles

OBJECT, PIXELS = ("mass inside",), ("insertion", "deletion")
UNTESTED = "untested"  # in addition to yes, no and undecided: there is nothing to compare


@dataclass(frozen=True)
class MapVerdict:
    """The verdicts on one method's maps of one network.

    ``on_object``: whether more of the map lies in the box than of every baseline's; ``ranks``:
    whether inserting and deleting pixels in the map's order beats every baseline's order. Both
    ``yes``, ``no`` (worse than a baseline), ``undecided`` or ``untested``.
    """

    network: str
    method: str
    on_object: str
    ranks: str
    beyond: float  # mean share of the map within the box, beyond the box's share; NaN without boxes
    n: int  # images compared
    empty: int  # images left out, whose map was 0 everywhere

    @property
    def interpretable(self) -> str:
        """Both verdicts together: yes if all of them are, no if one is."""
        return combine([v for v in (self.on_object, self.ranks) if v != UNTESTED])


@dataclass(frozen=True)
class SaliencyRecord:
    """The verdicts on all maps, and the numbers reported with them."""

    verdicts: tuple[MapVerdict, ...]
    comparisons: int  # in the table that Holm's correction covers
    at_chance: tuple[str, ...]  # networks without a verdict
    left_out: tuple[str, ...]  # reasons why pairs of network and method were not measured
    unlearnt: dict[str, float]  # rank correlation by method after all layers were reset


def combine(outcomes: Sequence[str]) -> str:
    """``yes`` if all outcomes are, ``no`` if one is, otherwise ``undecided``; untested for none."""
    if not outcomes:
        return UNTESTED
    if "no" in outcomes:
        return "no"
    return "yes" if set(outcomes) == {"yes"} else "undecided"


def judge(found: Evaluation, checked: pd.DataFrame, run: runs.Run) -> SaliencyRecord:
    """The verdicts of ``saliency.evaluate``, on networks clearly above chance.

    ``checked``: by ``saliency.parameter_randomisation``.
    """
    own = found.measures[found.measures.kind == "method"]
    measured = list(dict.fromkeys(zip(own.network, own.method, strict=True)))
    learnt = [name for name, fit in run.fits.items() if fit_above_chance(fit)]
    reset = checked[checked.layers == "all layers"].groupby("method", sort=False)["mean"].mean()
    return SaliencyRecord(
        verdicts=tuple(verdict_of(found, *pair) for pair in measured if pair[0] in learnt),
        comparisons=int(found.comparisons.p.notna().sum()),
        at_chance=tuple(n for n in dict.fromkeys(name for name, _ in measured) if n not in learnt),
        left_out=tuple(dict.fromkeys(found.left_out.values())),
        unlearnt={str(method): float(value) for method, value in reset.items()},
    )


def fit_above_chance(fit: runs.Fit) -> bool:
    """Whether a network is clearly better than guessing on the validation images."""
    return above_chance(fit.predictions("val"), len(fit.class_ids))


def verdict_of(found: Evaluation, network: str, method: str) -> MapVerdict:
    """The verdicts on one pair of network and method."""
    tests, means = (
        table[(table.network == network) & (table.method == method)]
        for table in (found.comparisons, found.measures)
    )
    beyond = means.loc[means.measure == "beyond the box", "mean"]
    return MapVerdict(
        network,
        method,
        combine(list(tests.outcome[tests.measure.isin(OBJECT)])),
        combine(list(tests.outcome[tests.measure.isin(PIXELS)])),
        float(beyond.iloc[0]) if len(beyond) else float("nan"),
        int(means.n.iloc[0]),
        int(means["empty"].iloc[0]),
    )


def saliency(found: Evaluation, checked: pd.DataFrame, run: runs.Run) -> str:
    """Whether the maps beat maps that use no network, and whether they depend on what was learnt.

    ``found``: of ``saliency.evaluate``; ``checked``: of ``saliency.parameter_randomisation``.
    """
    return saliency_text(judge(found, checked, run))


def saliency_text(record: SaliencyRecord) -> str:
    """The record as text."""
    methods = list(dict.fromkeys(each.method for each in record.verdicts))
    lines = [
        method_line([each for each in record.verdicts if each.method == method])
        for method in methods
    ]
    if record.at_chance:
        lines.append(f"- No verdict for {titles(record.at_chance)}: not clearly above chance.")
    lines += [f"- Not measured: {reason}." for reason in record.left_out]
    return "\n".join([answer(record), "", *lines, unlearnt_line(record)])


def method_line(verdicts: list[MapVerdict]) -> str:
    """The verdicts on one method, by network."""
    parts = [f"- **{method_title(verdicts[0].method)}**:"]
    if any(each.on_object != UNTESTED for each in verdicts):
        beyond = (f"{catalog.title(v.network)} {100 * v.beyond:+.1f}" for v in verdicts)
        parts.append(
            "share of saliency inside the box minus the box's share of the area, in points: "
            f"{', '.join(beyond)}. More in the box than all baselines: "
            f"{by_outcome(verdicts, 'on_object')}."
        )
    parts.append(
        "Orders the pixels better than all baselines (insertion and deletion): "
        f"{by_outcome(verdicts, 'ranks')}."
    )
    return " ".join(parts)


def by_outcome(verdicts: list[MapVerdict], question: str) -> str:
    """``yes for A and B; undecided for C``."""
    groups = {
        outcome: [each.network for each in verdicts if getattr(each, question) == outcome]
        for outcome in ("yes", "no", "undecided")
    }
    return "; ".join(f"{word} for {titles(names)}" for word, names in groups.items() if names)


def unlearnt_line(record: SaliencyRecord) -> str:
    """How similar the maps are after all layers were reset to random weights."""
    shown = record.unlearnt.items()
    values = ", ".join(f"{method_title(method)} {value:.2f}" for method, value in shown)
    return (
        "- With all layers reset to random weights, the maps' rank correlation with the trained "
        f"network's, averaged over the networks, is: {values} (0: no relation)."
    )


def answer(record: SaliencyRecord) -> str:
    """The answer to the paper's sentence."""
    question = 'The paper calls saliency maps **"not readily interpretable"**'
    if not record.verdicts:
        return f"{question}: no network here is clearly above chance, so there is no verdict."
    boxes = any(each.on_object != UNTESTED for each in record.verdicts)
    outcomes = [each.interpretable for each in record.verdicts]
    yes, no = outcomes.count("yes"), outcomes.count("no")
    return (
        f"{question}: of {count_noun(len(outcomes), 'pair')} of network and method, {yes} beat "
        f"every baseline (a map that uses no network), {no} are worse than one, and "
        f"{len(outcomes) - yes - no} are undecided. Compared by "
        f"{'location and ' if boxes else ''}pixel order, the maps better than every baseline are: "
        f"{pairs(record, 'yes')}; for these the paper's sentence does not hold. Worse than a "
        f"baseline: {pairs(record, 'no')}; for these it holds. Undecided: "
        f"{pairs(record, 'undecided')}. (Paired differences on {image_counts(record)}, Holm's "
        f"correction over {record.comparisons:,} comparisons.)"
    )


def pairs(record: SaliencyRecord, outcome: str) -> str:
    """The pairs of network and method with that verdict, listed, or ``none``."""
    chosen = [each for each in record.verdicts if each.interpretable == outcome]
    return (
        join_and(f"{method_title(v.method)} of {catalog.title(v.network)}" for v in chosen)
        or "none"
    )


def image_counts(record: SaliencyRecord) -> str:
    """How many images were compared, e.g. ``115 to 200 images``."""
    low, high = (f([v.n for v in record.verdicts]) for f in (min, max))
    return count_noun(high, "image") if low == high else f"{low:,} to {high:,} images"


def resolution(found: Evaluation) -> str:
    """How coarse Grad-CAM's maps are, how many are empty, and whether there are boxes."""
    rows = found.measures[found.measures.method == "grad_cam"].drop_duplicates("network")
    empty = rows.set_index("network")[["empty", "n"]]
    sizes = [
        f"{catalog.title(name)}: {height}×{width} positions, {empty['empty'][name]:,} of "
        f"{empty.loc[name].sum():,} maps empty"
        for name, (height, width) in found.map_sizes.items()
    ]
    lines = []
    if sizes:
        lines.append(
            f"A Grad-CAM map has the resolution of the last convolution's output. "
            f"{'; '.join(sizes)}. Empty maps (no evidence for the class) are left out of the "
            "measures; where several pixels have the highest value, the share of them inside the "
            "box counts."
        )
    if "mass inside" not in found.per_image:
        lines.append("There are no boxes in this data: only insertion and deletion are measured.")
    return "\n\n".join(lines)
