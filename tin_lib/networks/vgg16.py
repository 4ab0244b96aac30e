"""VGG-16 for 64×64 images (Simonyan & Zisserman, 2015; paper, section on networks).

Thirteen 3×3 convolutions, the same modules as torchvision's ``vgg16().features`` so that its
weights fit, and dense layers of 4096, 4096 and the classes. 40,708,104 weights at full width and
200 classes.
"""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from tin_lib.networks import base
from tin_lib.networks.base import Network, Stack, scale
from tin_lib.networks.layers import dropout

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # filters, convolutions; then a pool
DROPOUT = 0.75


@dataclass(frozen=True)
class Options(base.Options):
    """Choices for VGG-16.

    From random weights without batchnorm choose ``init="he"``: with Glorot's the activations shrink
    to about a sixtieth between conv 1 and conv 13, with He's to about a half.
    """

    batchnorm: bool = False  # after each convolution, as torchvision's vgg16_bn; the paper: none
    head: Literal["paper", "gap"] = "paper"  # gap: mean over positions, one dense layer


def build(num_classes: int, width: float, options: Options) -> Network:
    """The network, not yet initialised."""
    features, norm = Stack("features"), nn.BatchNorm2d if options.batchnorm else None
    for filters, count in BLOCKS:
        for _ in range(count):
            features.conv(scale(filters, width), 3, 1, 1, norm)
        features.add(nn.MaxPool2d(2))
    if options.head == "gap":
        classifier = Stack("classifier").add(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        classifier.add(dropout(DROPOUT, options.dropout))
        classifier.layer("dense1", nn.Linear(features.channels, num_classes))
        return Network(features, classifier)
    classifier, units = Stack("classifier").add(nn.Flatten()), scale(4096, width)
    for number, inputs in ((1, features.channels * 2 * 2), (2, units)):
        classifier.layer(f"dense{number}", nn.Linear(inputs, units), nn.ReLU())
        classifier.add(dropout(DROPOUT, options.dropout))
    return Network(features, classifier.layer("dense3", nn.Linear(units, num_classes)))
