"""Notebook 13's figure and closing text."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tin_lib.analysis import arms, features
from tin_lib.analysis.features import Features
from tin_lib.lab.conclusions import transfer
from tin_lib.lab.figures import transfer as figures

RATES = {"scratch": 0.4, "start": 0.7, "frozen": 0.4}


def compared(classes: int = 10) -> pd.DataFrame:
    """Three arms of three seeds, of which one is clearly better than the first."""
    rng = np.random.default_rng(0)
    values: dict[Any, np.ndarray] = {
        (arm, seed): rng.random(400) < rate for arm, rate in RATES.items() for seed in range(3)
    }
    return features.compare(values, dict.fromkeys(RATES, "scratch"), classes)


def kept(
    network: str, origin: str = "file.pth", classes: int = 10, data: str = "folder"
) -> dict[Any, Features]:
    """Features with no more than a header."""
    header = {"network": network, "weights": {"origin": origin}, "class_ids": ["n"] * classes}
    header |= {"request": {"data": data}}
    return {("probe", 0): Features(Path("none"), header)}


def test_each_comparison_is_a_sentence_with_its_outcome() -> None:
    text = transfer.transfer(compared(), compared(), kept("convnet9"), [])
    assert text.count("**Yes**: *start* is more accurate than *scratch* (+") == 2
    assert text.count("**Undecided**: *frozen* is more accurate than *scratch* (") == 2
    assert "*scratch* is more" not in text
    assert "The most accurate probe is *start*: " in text


def test_the_papers_figure_only_for_all_classes() -> None:
    few = transfer.transfer(compared(), compared(), kept("convnet9"), [])
    assert "53.5" not in few
    assert "for 200 classes, not for these 10" in few
    whole = transfer.transfer(compared(), compared(200), kept("convnet9", classes=200), [])
    assert "VGG-16, reaches 53.5 %" in whole


@pytest.mark.parametrize(
    ("network", "origin", "cautious"),
    [
        ("timm:tf_efficientnet_lite0", "lite0.pth", True),
        ("torchvision:vgg16", "default", True),
        ("timm:tf_efficientnet_lite0", "random", False),
        ("convnet9-0123", "default", False),
    ],
)
def test_imagenet_weights_come_with_a_caution(network: str, origin: str, cautious: bool) -> None:
    text = transfer.transfer(compared(), compared(), kept(network, origin), [])
    assert (transfer.CAUTION in text) == cautious


def test_drawn_images_are_not_imagenets() -> None:
    text = transfer.transfer(compared(), compared(), kept("timm:x", data="sample"), [])
    assert transfer.CAUTION not in text


def test_what_is_missing_is_said_with_what_to_do() -> None:
    assert transfer.missing_text([]) == ""
    text = transfer.missing_text(["torchvision:vgg16", "timm:resnet18"])
    assert 'torchvision.models.get_model("vgg16", weights="DEFAULT")' in text
    assert "- timm:resnet18: a file named by `features_weights`" in text


def test_a_line_for_each_arm_with_means_and_ranges() -> None:
    accuracies = {1: (0.1, 0.2), 10: (0.3, 0.5), 100: (0.6,)}
    rows = [
        {"arm": arm, "per_class": count, "val_accuracy": value + shift}
        for arm, shift in (("a", 0.0), ("b", 0.1))
        for count, values in accuracies.items()
        for value in values
    ]
    figure = figures.learning_curves(pd.DataFrame(rows), chance=0.05)
    first, second = figure.data
    assert (first.name, second.name) == ("a", "b")
    np.testing.assert_allclose(first.y, [0.15, 0.4, 0.6])
    np.testing.assert_allclose(first.error_y.array, [0.05, 0.1, 0.0])
    np.testing.assert_allclose(second.y, [0.25, 0.5, 0.7])
    assert list(figure.layout.xaxis.tickvals) == [1, 10, 100]
    assert figure.layout.shapes[0].y0 == 0.05
    more = pd.DataFrame(rows).replace({"per_class": {10: 90}})
    assert list(figures.learning_curves(more).layout.xaxis.tickvals) == [1, 100]  # 90 is too near


def test_sentences_are_made_of_the_tables_of_fits_too() -> None:
    table = compared().rename(columns={"mean": "val_accuracy"})
    assert len(transfer.sentences(table)) == 2
    assert set(arms.TESTED) <= set(table.columns)
