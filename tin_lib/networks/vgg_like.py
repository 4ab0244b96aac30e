"""The VGG-like network of the Keras documentation (paper, section on networks).

Two blocks of two unpadded 3×3 convolutions, and two dense layers. 2,886,120 parameters at full
width and 200 classes.
"""

from typing import Literal

from torch import nn

from tin_lib.networks import layers
from tin_lib.networks.base import Init, Network, Stack, initialise, scale
from tin_lib.networks.layers import DropConnectLinear, Per

# Dropout after the two blocks, by the paper, by the author's code, and none; 0.5 after dense 1.
DROPOUT = {"paper": (0.25, 0.25), "code": (0.25, 0.5), "dense": (0.0, 0.0)}


def build(
    num_classes: int,
    width: float = 1.0,
    dropout: float = 1.0,  # factor on the variant's rates
    init: Init = "glorot",
    variant: Literal["paper", "code", "dense"] = "paper",  # rates of dropout, see DROPOUT
    batchnorm: bool = False,  # after each convolution; the paper has none
    dropconnect: float = 0.0,  # rate on the weights of dense 1, instead of the dropout after it
    dropconnect_per: Per = "example",  # a mask for each image, as published, or for each batch
) -> Network:
    """The network with random weights."""
    features, norm = Stack("features"), nn.BatchNorm2d if batchnorm else None
    for filters, rate in zip((32, 64), DROPOUT[variant]):
        for _ in range(2):
            features.conv(scale(filters, width), 3, 1, 0, norm)
        features.add(nn.MaxPool2d(2), layers.dropout(rate, dropout))
    classifier, units = Stack("classifier").add(nn.Flatten()), scale(256, width)
    inputs = features.channels * 13 * 13
    dense = DropConnectLinear(inputs, units, p=dropconnect, per=dropconnect_per)
    classifier.layer("dense1", dense, nn.ReLU())
    classifier.add(layers.dropout(0.0 if dropconnect else 0.5, dropout))
    classifier.layer("dense2", nn.Linear(units, num_classes))
    return initialise(Network(features, classifier), init)
