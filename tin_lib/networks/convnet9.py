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

from torch import nn

from tin_lib.networks.base import Network, Stack, dropout, initialise, scale

FILTERS = (64, 64, 128, 128, 256, 256, 512, 512, 1024)
DROPOUT_AFTER = {"paper": (3, 6), "code": (3, 6, 9)}  # conv layers, rate 0.25


def norm2d(channels: int) -> nn.BatchNorm2d:
    """Batchnorm with the paper's ε; PyTorch's momentum 0.1 is Keras's 0.9."""
    return nn.BatchNorm2d(channels, eps=1e-6, momentum=0.1)


def build(
    num_classes: int,
    width: float,
    variant: str = "paper",
    dropout_factor: float = 1.0,
    init: str = "glorot",
) -> Network:
    """The network. ``variant``: "paper" drops 0.5 after each dense layer, the output too; "code"
    (the author's) 0.25 after conv 9 as well, 0.5 after dense 1 and nothing after the output.
    ``dropout`` multiplies all dropout rates; 0 switches them off. ``init``: glorot or he.
    """
    if variant not in DROPOUT_AFTER:
        raise ValueError(f"variant={variant!r}: choose paper or code")
    features, before = Stack("features"), 3
    for i, filters in enumerate(FILTERS, 1):
        channels, kernel = scale(filters, width), 5 if i == 1 else 3
        conv = nn.Conv2d(before, channels, kernel, stride=1 + i % 2, padding=kernel // 2)
        features.layer(f"conv{i}", conv, norm2d(channels), nn.ReLU())
        if i in DROPOUT_AFTER[variant]:
            features.add(dropout(0.25, dropout_factor))
        before = channels
    units = scale(512, width)
    classifier = Stack("classifier").add(nn.Flatten())
    norm = nn.BatchNorm1d(units, eps=1e-6, momentum=0.1)
    classifier.layer("dense1", nn.Linear(before * 4, units), norm, nn.ReLU())
    classifier.add(dropout(0.5, dropout_factor))
    classifier.layer("dense2", nn.Linear(units, num_classes))
    if variant == "paper":
        classifier.add(dropout(0.5, dropout_factor))
    network = Network(features, classifier)
    initialise(network, init)
    return network
