"""VGG-16 for 64×64 images (Simonyan & Zisserman, 2015; paper, section on networks).

Thirteen 3×3 convolutions, the same modules as torchvision's ``vgg16().features`` so that its
weights fit, and dense layers of 4096, 4096 and the classes. 40,708,104 parameters at full width and
200 classes.
"""

from typing import Literal

from torch import nn

from tin_lib.networks import layers
from tin_lib.networks.base import Init, Network, Stack, initialise, scale

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # filters, convolutions; then a pool
DROPOUT = 0.75


def build(
    num_classes: int,
    width: float = 1.0,
    dropout: float = 1.0,  # factor on 0.75 after dense 1 and dense 2, or with gap before dense 1
    # From random weights without batchnorm choose he: with Glorot's the activations shrink to about
    # a sixtieth between conv 1 and conv 13, with He's to about a half.
    init: Init = "glorot",
    batchnorm: bool = False,  # after each convolution, as torchvision's vgg16_bn; the paper: none
    head: Literal["paper", "gap"] = "paper",  # gap: mean over positions, one dense layer
) -> Network:
    """The network with random weights."""
    features, norm = Stack("features"), nn.BatchNorm2d if batchnorm else None
    for filters, count in BLOCKS:
        for _ in range(count):
            features.conv(scale(filters, width), 3, 1, 1, norm)
        features.add(nn.MaxPool2d(2))
    if head == "gap":
        classifier = Stack("classifier").add(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        classifier.add(layers.dropout(DROPOUT, dropout))
        classifier.layer("dense1", nn.Linear(features.channels, num_classes))
        return initialise(Network(features, classifier), init)
    classifier, units = Stack("classifier").add(nn.Flatten()), scale(4096, width)
    for number, inputs in ((1, features.channels * 2 * 2), (2, units)):
        classifier.layer(f"dense{number}", nn.Linear(inputs, units), nn.ReLU())
        classifier.add(layers.dropout(DROPOUT, dropout))
    classifier.layer("dense3", nn.Linear(units, num_classes))
    return initialise(Network(features, classifier), init)
