"""VGG-16 for 64×64 images (Simonyan & Zisserman, 2015; paper, section on networks).

Thirteen 3×3 convolutions, the same modules as torchvision's ``vgg16().features`` so that its
weights fit, and dense layers of 4096, 4096 and the classes. At full width and 200 classes,
40,708,104 weights:

| layer  | output      | parameters |
|--------|-------------|------------|
| conv1  | 64×64×64    | 1,792      |
| conv2  | 64×64×64    | 36,928     |
| conv3  | 128×32×32   | 73,856     |
| conv4  | 128×32×32   | 147,584    |
| conv5  | 256×16×16   | 295,168    |
| conv6  | 256×16×16   | 590,080    |
| conv7  | 256×16×16   | 590,080    |
| conv8  | 512×8×8     | 1,180,160  |
| conv9  | 512×8×8     | 2,359,808  |
| conv10 | 512×8×8     | 2,359,808  |
| conv11 | 512×4×4     | 2,359,808  |
| conv12 | 512×4×4     | 2,359,808  |
| conv13 | 512×4×4     | 2,359,808  |
| dense1 | 4096        | 8,392,704  |
| dense2 | 4096        | 16,781,312 |
| dense3 | 200         | 819,400    |
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from tin_lib.networks import base
from tin_lib.networks.base import Network, Stack, dropout, initialise, norms, scale

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # filters, convolutions; then a pool
DROPOUT = 0.75


@dataclass(frozen=True)
class Options(base.Options):
    """Choices for VGG-16.

    From random weights without batchnorm choose ``init="he"``: with Glorot's the activations shrink
    to about a sixtieth between conv 1 and conv 13, with He's to about a half.
    """

    batchnorm: bool = False  # after each convolution, as torchvision's vgg16_bn; the paper: none
    head: str = "paper"  # paper: 4096, 4096, classes; gap: mean over positions, one dense layer

    CHOICES: ClassVar = base.Options.CHOICES | {"head": ("paper", "gap")}


def build(num_classes: int, width: float, options: Options) -> Network:
    """The network, with random weights."""
    features, channels = conv_part(width, options.batchnorm)
    if options.head == "gap":
        classifier = Stack("classifier").add(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        classifier.add(dropout(DROPOUT, options.dropout))
        classifier.layer("dense1", nn.Linear(channels, num_classes))
    else:
        sizes = (channels * 2 * 2, scale(4096, width), num_classes)
        classifier = dense_part(sizes, options.dropout)
    network = Network(features, classifier)
    initialise(network, options.init)
    return network


def conv_part(width: float, batchnorm: bool) -> tuple[Stack, int]:
    """The thirteen convolutions, and the channels of the last."""
    features, before, number = Stack("features"), 3, 0
    for filters, count in BLOCKS:
        for _ in range(count):
            number, channels = number + 1, scale(filters, width)
            conv = nn.Conv2d(before, channels, 3, padding=1)
            features.layer(f"conv{number}", conv, *norms(channels, batchnorm), nn.ReLU())
            before = channels
        features.add(nn.MaxPool2d(2))
    return features, before


def dense_part(sizes: tuple[int, int, int], factor: float) -> Stack:
    """Two dense layers with dropout each, and the output; ``sizes``: inputs, units, classes."""
    inputs, units, num_classes = sizes
    classifier = Stack("classifier").add(nn.Flatten())
    for number, before in ((1, inputs), (2, units)):
        classifier.layer(f"dense{number}", nn.Linear(before, units), nn.ReLU())
        classifier.add(dropout(DROPOUT, factor))
    return classifier.layer("dense3", nn.Linear(units, num_classes))
