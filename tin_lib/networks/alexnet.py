"""AlexNet for 64×64 images (Krizhevsky et al., 2012; the paper could not run it).

torchvision's five convolutions, so that its ImageNet weights fit, with stride 2 instead of 4 in the
first: 64 pixels then leave 2×2 positions before the dense layers. (The author's version pooled with
stride 1 before a dense layer of 4096 units: over 10⁹ weights.) At full width and 200 classes,
24,268,808 weights:

| layer  | output      | parameters |
|--------|-------------|------------|
| conv1  | 64×29×29    | 23,296     |
| conv2  | 192×14×14   | 307,392    |
| conv3  | 384×6×6     | 663,936    |
| conv4  | 256×6×6     | 884,992    |
| conv5  | 256×6×6     | 590,080    |
| dense1 | 4096        | 4,198,400  |
| dense2 | 4096        | 16,781,312 |
| dense3 | 200         | 819,400    |
"""

from torch import nn

from tin_lib.networks.base import Network, Stack, dropout, initialise, scale

# filters, kernel, stride, padding, whether a 3×3 pool of stride 2 follows
CONVS = ((64, 11, 2, 2, True), (192, 5, 1, 2, True), (384, 3, 1, 1, False))
CONVS += ((256, 3, 1, 1, False), (256, 3, 1, 1, True))


def build(
    num_classes: int,
    width: float,
    batchnorm: bool = False,
    dropout_factor: float = 1.0,
    init: str = "glorot",
) -> Network:
    """The network. ``batchnorm`` adds one after each convolution (not with ImageNet weights).
    ``dropout`` multiplies the rate 0.5 before dense 1 and dense 2. ``init``: glorot or he.
    """
    features, before = Stack("features"), 3
    for number, (filters, kernel, stride, padding, pool) in enumerate(CONVS, 1):
        channels = scale(filters, width)
        norm = [nn.BatchNorm2d(channels)] if batchnorm else []
        conv = nn.Conv2d(before, channels, kernel, stride, padding)
        features.layer(f"conv{number}", conv, *norm, nn.ReLU())
        features.add(*[nn.MaxPool2d(3, 2)] * pool)
        before = channels
    classifier, units = Stack("classifier").add(nn.Flatten()), scale(4096, width)
    for number, inputs in ((1, before * 4), (2, units)):
        classifier.add(dropout(0.5, dropout_factor))
        classifier.layer(f"dense{number}", nn.Linear(inputs, units), nn.ReLU())
    classifier.layer("dense3", nn.Linear(units, num_classes))
    network = Network(features, classifier)
    initialise(network, init)
    return network
