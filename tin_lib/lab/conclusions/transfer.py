"""What starting weights and features of other networks are worth."""

from collections.abc import Mapping, Sequence

import pandas as pd

from tin_lib.analysis.features import Features
from tin_lib.analysis.paper import CLASSES, RESULTS
from tin_lib.lab.conclusions.effects import outcome_sentence
from tin_lib.lab.formatting import percent, rows

CAUTION = (
    "Tiny ImageNet's images are taken from ImageNet. A network with ImageNet weights was trained "
    "on these classes, on most of these training images at full resolution, and perhaps on some of "
    "the validation images: its accuracy here is not that of a network on unknown data."
)


def sentences(table: pd.DataFrame) -> list[str]:
    """One sentence for each comparison of a table."""
    return [
        outcome_sentence(f"*{row.arm}* is more accurate than *{row.against}*", row)
        for row in rows(table)
        if row.against
    ]


def best_text(probes: pd.DataFrame, classes: int) -> str:
    """The most accurate arm of a table of probes; beside the paper's figure for all classes."""
    best = max(rows(probes), key=lambda row: row.mean)
    text = f"The most accurate probe is *{best.arm}*: {percent(best.mean)}."
    if classes != CLASSES:
        return f"{text} The paper's figures are for {CLASSES} classes, not for these {classes}."
    return f"{text} The paper's best network, VGG-16, reaches {percent(RESULTS['vgg16']['val'])}."


def seen_before(kept: Mapping[tuple[str, int], Features]) -> str:
    """The caution about ImageNet's weights, if features of photographs come from such; else ""."""
    libraries = ("torchvision:", "timm:")
    used = [each.header for each in kept.values() if each.header["network"].startswith(libraries)]
    pretrained = any(header["weights"]["origin"] != "random" for header in used)
    drawn = any(header["request"].get("data") == "sample" for header in used)
    return CAUTION if pretrained and not drawn else ""


def missing_text(missing: Sequence[str]) -> str:
    """Networks that could not be tried for want of weights, and how to get them; "" for none."""
    if not missing:
        return ""
    return "Not tried, because their weights are missing:\n\n" + "\n".join(map(advice, missing))


def advice(network: str) -> str:
    """One line on how to get a network's weights."""
    library, _, name = network.partition(":")
    call = f'torchvision.models.get_model("{name}", weights="DEFAULT")'
    how = f"downloaded by `{call}`, or" if library == "torchvision" else "a file"
    return f"- {network}: {how} named by `features_weights` (with `features_network`)"


def transfer(
    fits: pd.DataFrame,
    probes: pd.DataFrame,
    kept: Mapping[tuple[str, int], Features],
    missing: Sequence[str],
) -> str:
    """The notebook's closing text.

    ``fits``: of ``arms.compare``; ``probes``: of ``features.compare``; ``kept``: the features by
    (arm, seed); ``missing``: what could not be tried.
    """
    classes = len(next(iter(kept.values())).header["class_ids"])
    lines = "\n".join(f"- {line}" for line in (*sentences(fits), *sentences(probes)))
    parts = [lines, best_text(probes, classes), seen_before(kept), missing_text(missing)]
    return "\n\n".join(part for part in parts if part)
