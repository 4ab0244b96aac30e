"""The VGG-like network of the Keras documentation (paper, section on networks).

Two blocks of two unpadded 3×3 convolutions, and two dense layers. 2,886,120 weights at full width
and 200 classes.
"""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from tin_lib.networks import base
from tin_lib.networks.base import Network, Stack, scale
from tin_lib.networks.layers import DropConnectLinear, Per, dropout

# Dropout after the two blocks, by the paper, by the author's code, and none; 0.5 after dense 1.
DROPOUT = {"paper": (0.25, 0.25), "code": (0.25, 0.5), "dense": (0.0, 0.0)}


@dataclass(frozen=True)
class Options(base.Options):
    """Choices for the VGG-like network."""

    variant: Literal["paper", "code", "dense"] = "paper"  # rates of dropout, see DROPOUT
    batchnorm: bool = False  # after each convolution; the paper has none
    dropconnect: float = 0.0  # rate on the weights of dense 1, instead of the dropout after it
    dropconnect_per: Per = "example"  # a mask for each image, as published, or for each batch


def build(num_classes: int, width: float, options: Options) -> Network:
    """The network, not yet initialised."""
    features, norm = Stack("features"), nn.BatchNorm2d if options.batchnorm else None
    for filters, rate in zip((32, 64), DROPOUT[options.variant]):
        for _ in range(2):
            features.conv(scale(filters, width), 3, 1, 0, norm)
        features.add(nn.MaxPool2d(2), dropout(rate, options.dropout))
    classifier, units = Stack("classifier").add(nn.Flatten()), scale(256, width)
    drop = options.dropconnect, options.dropconnect_per
    dense = DropConnectLinear(features.channels * 13 * 13, units, *drop)
    classifier.layer("dense1", dense, nn.ReLU())
    classifier.add(dropout(0.0 if options.dropconnect else 0.5, options.dropout))
    return Network(features, classifier.layer("dense2", nn.Linear(units, num_classes)))
