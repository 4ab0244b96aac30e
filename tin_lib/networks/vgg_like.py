"""The VGG-like network of the Keras documentation (paper, section on networks).

Two blocks of two unpadded 3×3 convolutions, and two dense layers. At full width and 200 classes,
2,886,120 weights:

| layer  | output      | parameters |
|--------|-------------|------------|
| conv1  | 32×62×62    | 896        |
| conv2  | 32×60×60    | 9,248      |
| conv3  | 64×28×28    | 18,496     |
| conv4  | 64×26×26    | 36,928     |
| dense1 | 256         | 2,769,152  |
| dense2 | 200         | 51,400     |
"""

from torch import nn

from tin_lib.networks.base import Network, Stack, dropout, initialise, scale

SECOND_DROPOUT = {"paper": 0.25, "code": 0.5}


def build(
    num_classes: int,
    width: float,
    variant: str = "paper",
    dropout_factor: float = 1.0,
    init: str = "glorot",
) -> Network:
    """The network. ``variant``: "code" (the author's) drops 0.5, not 0.25, after the second block.
    ``dropout`` multiplies all dropout rates; 0 switches them off. ``init``: glorot or he.
    """
    if variant not in SECOND_DROPOUT:
        raise ValueError(f"variant={variant!r}: choose paper or code")
    features, before, number = Stack("features"), 3, 0
    for filters, rate in ((32, 0.25), (64, SECOND_DROPOUT[variant])):
        for _ in range(2):
            number, channels = number + 1, scale(filters, width)
            features.layer(f"conv{number}", nn.Conv2d(before, channels, 3), nn.ReLU())
            before = channels
        features.add(nn.MaxPool2d(2), dropout(rate, dropout_factor))
    units = scale(256, width)
    classifier = Stack("classifier").add(nn.Flatten())
    classifier.layer("dense1", nn.Linear(before * 13 * 13, units), nn.ReLU())
    classifier.add(dropout(0.5, dropout_factor))
    classifier.layer("dense2", nn.Linear(units, num_classes))
    network = Network(features, classifier)
    initialise(network, init)
    return network
