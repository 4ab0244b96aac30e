"""AlexNet for 64×64 images (Krizhevsky et al., 2012; the paper could not run it).

torchvision's five convolutions, so that its ImageNet weights fit, with stride 2 instead of 4 in the
first: 64 pixels then leave 2×2 positions before the dense layers. 24,268,808 weights at full width
and 200 classes.
"""

from dataclasses import dataclass

from torch import nn

from tin_lib.networks import base
from tin_lib.networks.base import Network, Stack, scale
from tin_lib.networks.layers import dropout

# filters, kernel, stride, padding, and whether a 3×3 pool of stride 2 follows
CONVS = (
    (64, 11, 2, 2, True),
    (192, 5, 1, 2, True),
    (384, 3, 1, 1, False),
    (256, 3, 1, 1, False),
    (256, 3, 1, 1, True),
)


@dataclass(frozen=True)
class Options(base.Options):
    """Choices for AlexNet; dropout 0.5 stands before dense 1 and dense 2."""

    batchnorm: bool = False  # after each convolution; does not go with ImageNet weights


def build(num_classes: int, width: float, options: Options) -> Network:
    """The network, not yet initialised."""
    features, norm = Stack("features"), nn.BatchNorm2d if options.batchnorm else None
    for filters, kernel, stride, padding, pool in CONVS:
        features.conv(scale(filters, width), kernel, stride, padding, norm)
        if pool:
            features.add(nn.MaxPool2d(3, 2))
    classifier, units = Stack("classifier").add(nn.Flatten()), scale(4096, width)
    for number, inputs in ((1, features.channels * 2 * 2), (2, units)):
        classifier.add(dropout(0.5, options.dropout))
        classifier.layer(f"dense{number}", nn.Linear(inputs, units), nn.ReLU())
    return Network(features, classifier.layer("dense3", nn.Linear(units, num_classes)))
