"""The VGG-like network of the Keras documentation (paper, section on networks).

Two blocks of two unpadded 3×3 convolutions, and two dense layers. 2,886,120 weights at full width
and 200 classes.
"""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from tin_lib.networks import base
from tin_lib.networks.base import Network, Stack, dropout, scale

SECOND_DROPOUT = {"paper": 0.25, "code": 0.5}


@dataclass(frozen=True)
class Options(base.Options):
    """Choices for the VGG-like network."""

    variant: Literal["paper", "code"] = "paper"  # dropout after the second block: 0.25 or 0.5
    batchnorm: bool = False  # after each convolution; the paper has none


def build(num_classes: int, width: float, options: Options) -> Network:
    """The network, not yet initialised."""
    features, norm = Stack("features"), nn.BatchNorm2d if options.batchnorm else None
    for filters, rate in ((32, 0.25), (64, SECOND_DROPOUT[options.variant])):
        for _ in range(2):
            features.conv(scale(filters, width), 3, 1, 0, norm)
        features.add(nn.MaxPool2d(2), dropout(rate, options.dropout))
    classifier, units = Stack("classifier").add(nn.Flatten()), scale(256, width)
    classifier.layer("dense1", nn.Linear(features.channels * 13 * 13, units), nn.ReLU())
    classifier.add(dropout(0.5, options.dropout))
    return Network(features, classifier.layer("dense2", nn.Linear(units, num_classes)))
