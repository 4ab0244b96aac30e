"""A network for little training time on a CPU: few, wide 3×3 convolutions, which CPUs compute at
their highest rate, on maps that shrink early; 4,705,280 parameters at full width and 200 classes.

The plan is that of the CIFAR-10 speed records (Page, "How to Train Your ResNet", 2018; Jordan,
"94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024): each block widens, pools and normalises,
then adds to its output a convolution of it. The mean over the last map lets it take other sizes.
"""

from torch import Tensor, nn

from tin_lib.networks import layers
from tin_lib.networks.base import Init, Network, Stack, initialise, scale

STEM, FILTERS = 24, (128, 256, 512)


class Residual(nn.Module):
    """A 3×3 convolution, batchnorm and ReLU, added to its input; (N, C, H, W) → the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm, self.relu = nn.BatchNorm2d(channels), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """The sum."""
        return x + self.relu(self.norm(self.conv(x)))


def build(
    num_classes: int,
    width: float = 1.0,
    dropout: float = 0.0,  # rate before the dense layer
    init: Init = "he",
) -> Network:
    """The network with random weights."""
    features, before = Stack("features"), scale(STEM, width)
    # Patches of 2×2 pixels without overlap: a quarter of the map at once, for hardly any work.
    features.layer("stem", nn.Conv2d(3, before, 2, 2), nn.ReLU())
    for number, filters in enumerate(FILTERS, 1):
        channels = scale(filters, width)
        conv = nn.Conv2d(before, channels, 3, padding=1, bias=False)
        # The pool before batchnorm and ReLU: they then work on a quarter of the map.
        parts = conv, nn.MaxPool2d(2), nn.BatchNorm2d(channels), nn.ReLU()
        features.layer(f"conv{number}", *parts)
        features.layer(f"residual{number}", Residual(channels), filters="0.conv")
        before = channels
    classifier = Stack("classifier").add(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    classifier.add(layers.dropout(dropout)).layer("dense1", nn.Linear(before, num_classes))
    return initialise(Network(features, classifier), init)
