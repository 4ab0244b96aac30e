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

from torch import nn

from tin_lib.networks.base import Network, Stack, dropout, initialise, scale

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def build(
    num_classes: int,
    width: float,
    batchnorm: bool = False,
    head: str = "paper",
    dropout_factor: float = 1.0,
    init: str = "glorot",
) -> Network:
    """The network. ``batchnorm`` adds one after each convolution (torchvision's ``vgg16_bn``).
    ``head``: "paper" (4096, 4096, classes; dropout 0.75) or "gap" (mean over positions, one dense
    layer; a tenth of the weights). ``dropout`` multiplies the rates. ``init``: glorot or he.
    """
    if head not in ("paper", "gap"):
        raise ValueError(f"head={head!r}: choose paper or gap")
    features, channels = conv_part(width, batchnorm)
    classifier = Stack("classifier")
    if head == "gap":
        classifier.add(nn.AdaptiveAvgPool2d(1), nn.Flatten(), dropout(0.75, dropout_factor))
        classifier.layer("dense1", nn.Linear(channels, num_classes))
    else:
        classifier.add(nn.Flatten())
        dense_part(classifier, channels * 4, (scale(4096, width), num_classes), dropout_factor)
    network = Network(features, classifier)
    initialise(network, init)
    return network


def conv_part(width: float, batchnorm: bool) -> tuple[Stack, int]:
    """The thirteen convolutions, and the channels of the last."""
    features, before, number = Stack("features"), 3, 0
    for filters, count in BLOCKS:
        for _ in range(count):
            number, channels = number + 1, scale(filters, width)
            norm = [nn.BatchNorm2d(channels)] if batchnorm else []
            conv = nn.Conv2d(before, channels, 3, padding=1)
            features.layer(f"conv{number}", conv, *norm, nn.ReLU())
            before = channels
        features.add(nn.MaxPool2d(2))
    return features, before


def dense_part(classifier: Stack, inputs: int, sizes: tuple[int, int], factor: float) -> None:
    """Two dense layers with dropout 0.75 each, and the output."""
    units, num_classes = sizes
    for number, before in ((1, inputs), (2, units)):
        classifier.layer(f"dense{number}", nn.Linear(before, units), nn.ReLU())
        classifier.add(dropout(0.75, factor))
    classifier.layer("dense3", nn.Linear(units, num_classes))
