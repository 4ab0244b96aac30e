"""The 9-layer ConvNet of CS231n's third assignment (paper, section on networks).

Nine conv–batchnorm–ReLU layers, every other one with stride 2, and two dense layers. At full width
and 200 classes, 11,615,240 weights:

| layer  | output      | parameters |
|--------|-------------|------------|
| conv1  | 64×32×32    | 4,992      |
| conv2  | 64×32×32    | 37,056     |
| conv3  | 128×16×16   | 74,112     |
| conv4  | 128×16×16   | 147,840    |
| conv5  | 256×8×8     | 295,680    |
| conv6  | 256×8×8     | 590,592    |
| conv7  | 512×4×4     | 1,181,184  |
| conv8  | 512×4×4     | 2,360,832  |
| conv9  | 1024×2×2    | 4,721,664  |
| dense1 | 512         | 2,098,688  |
| dense2 | 200         | 102,600    |
"""

import functools
from dataclasses import dataclass
from typing import Literal

from torch import nn

from tin_lib.networks import base
from tin_lib.networks.base import Network, Stack, dropout, scale

FILTERS = (64, 64, 128, 128, 256, 256, 512, 512, 1024)
DROPOUT_AFTER = {"paper": (3, 6), "code": (3, 6, 9)}  # conv layers, rate 0.25
EPSILON = 1e-6  # of batchnorm; its momentum is PyTorch's 0.1, which Keras calls 0.9


@dataclass(frozen=True)
class Options(base.Options):
    """Choices for the 9-layer ConvNet."""

    # Places of dropout. paper: 0.25 after conv 3 and conv 6, 0.5 after each dense layer, the
    # output too. code (the author's): 0.25 also after conv 9, and none after the output.
    variant: Literal["paper", "code"] = "paper"


def build(num_classes: int, width: float, options: Options) -> Network:
    """The network, not yet initialised."""
    features, norm = Stack("features"), functools.partial(nn.BatchNorm2d, eps=EPSILON)
    for number, filters in enumerate(FILTERS, 1):
        kernel, stride = 5 if number == 1 else 3, 1 + number % 2
        features.conv(scale(filters, width), kernel, stride, kernel // 2, norm)
        if number in DROPOUT_AFTER[options.variant]:
            features.add(dropout(0.25, options.dropout))
    classifier, units = Stack("classifier").add(nn.Flatten()), scale(512, width)
    dense, after = nn.Linear(features.channels * 2 * 2, units), nn.BatchNorm1d(units, EPSILON)
    classifier.layer("dense1", dense, after, nn.ReLU())
    classifier.add(dropout(0.5, options.dropout))
    classifier.layer("dense2", nn.Linear(units, num_classes))
    if options.variant == "paper":
        classifier.add(dropout(0.5, options.dropout))
    return Network(features, classifier)
