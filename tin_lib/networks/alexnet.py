"""AlexNet for 64×64 images (Krizhevsky et al., 2012; the paper could not run it).

torchvision's five convolutions, so that its ImageNet weights fit, with stride 2 instead of 4 in the
first: 64 pixels then leave 2×2 positions before the dense layers. 24,268,808 parameters at full
width and 200 classes.
"""

from torch import nn

from tin_lib.networks import layers
from tin_lib.networks.base import Init, Network, Stack, initialise, scale

# filters, kernel, stride, padding, and whether a 3×3 pool of stride 2 follows
CONVS = (
    (64, 11, 2, 2, True),
    (192, 5, 1, 2, True),
    (384, 3, 1, 1, False),
    (256, 3, 1, 1, False),
    (256, 3, 1, 1, True),
)


def build(
    num_classes: int,
    width: float = 1.0,
    dropout: float = 1.0,  # factor on 0.5 before dense 1 and dense 2
    init: Init = "glorot",
    batchnorm: bool = False,  # after each convolution; does not go with ImageNet weights
) -> Network:
    """The network with random weights."""
    features, norm = Stack("features"), nn.BatchNorm2d if batchnorm else None
    for filters, kernel, stride, padding, pool in CONVS:
        features.conv(scale(filters, width), kernel, stride, padding, norm)
        if pool:
            features.add(nn.MaxPool2d(3, 2))
    classifier, units = Stack("classifier").add(nn.Flatten()), scale(4096, width)
    for number, inputs in ((1, features.channels * 2 * 2), (2, units)):
        classifier.add(layers.dropout(0.5, dropout))
        classifier.layer(f"dense{number}", nn.Linear(inputs, units), nn.ReLU())
    classifier.layer("dense3", nn.Linear(units, num_classes))
    return initialise(Network(features, classifier), init)
