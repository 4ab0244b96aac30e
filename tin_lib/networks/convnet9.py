"""The 9-layer ConvNet of CS231n's third assignment (paper, section on networks).

Nine conv–batchnorm–ReLU layers, every other one with stride 2, and two dense layers. 11,615,240
parameters at full width and 200 classes.
"""

import functools
from typing import Literal

from torch import nn

from tin_lib.networks import layers
from tin_lib.networks.base import Init, Network, Stack, initialise, scale
from tin_lib.networks.layers import DropConnectLinear, Per

FILTERS = (64, 64, 128, 128, 256, 256, 512, 512, 1024)
DROPOUT_AFTER = {"paper": (3, 6), "code": (3, 6, 9), "dense": ()}  # conv layers, rate 0.25
EPSILON = 1e-6  # of batchnorm; its momentum is PyTorch's 0.1, which Keras calls 0.9


def build(
    num_classes: int,
    width: float = 1.0,
    dropout: float = 1.0,  # factor on the variant's rates
    init: Init = "glorot",
    # Places of dropout. paper: 0.25 after conv 3 and conv 6, 0.5 after each dense layer, the
    # output too. code (the author's): 0.25 also after conv 9, and none after the output. dense:
    # after dense 1 alone.
    variant: Literal["paper", "code", "dense"] = "paper",
    dropconnect: float = 0.0,  # rate on the weights of dense 1, instead of the dropout after it
    dropconnect_per: Per = "example",  # a mask for each image, as published, or for each batch
) -> Network:
    """The network with random weights."""
    features, norm = Stack("features"), functools.partial(nn.BatchNorm2d, eps=EPSILON)
    for number, filters in enumerate(FILTERS, 1):
        kernel, stride = 5 if number == 1 else 3, 1 + number % 2
        features.conv(scale(filters, width), kernel, stride, kernel // 2, norm)
        if number in DROPOUT_AFTER[variant]:
            features.add(layers.dropout(0.25, dropout))
    classifier, units = Stack("classifier").add(nn.Flatten()), scale(512, width)
    inputs = features.channels * 2 * 2
    dense = DropConnectLinear(inputs, units, p=dropconnect, per=dropconnect_per)
    classifier.layer("dense1", dense, nn.BatchNorm1d(units, EPSILON), nn.ReLU())
    classifier.add(layers.dropout(0.0 if dropconnect else 0.5, dropout))
    classifier.layer("dense2", nn.Linear(units, num_classes))
    if variant == "paper":
        classifier.add(layers.dropout(0.5, dropout))
    return initialise(Network(features, classifier), init)
