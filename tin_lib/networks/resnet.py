"""ResNet-18 for 64×64 images (He et al., 2016), with a 3×3 stem and no pool after it.

At full width and 200 classes, 11,271,432 weights:

| layer  | output      | parameters |
|--------|-------------|------------|
| conv1  | 64×64×64    | 1,856      |
| stage1 | 64×64×64    | 147,968    |
| stage2 | 128×32×32   | 525,568    |
| stage3 | 256×16×16   | 2,099,712  |
| stage4 | 512×8×8     | 8,393,728  |
| dense1 | 200         | 102,600    |
"""

from collections.abc import Sequence

from torch import Tensor, nn

from tin_lib.networks.base import Layer, Network, Stack, dropout, initialise, scale

FILTERS = (64, 128, 256, 512)


class Block(nn.Module):
    """Two 3×3 convolutions and a way around them; shapes (N, C, H, W) → (N, C', H/s, W/s)."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.norm1, self.relu1 = nn.BatchNorm2d(channels), nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2, self.relu2 = nn.BatchNorm2d(channels), nn.ReLU()
        self.around: nn.Module = nn.Identity()
        if stride != 1 or before != channels:
            conv = nn.Conv2d(before, channels, 1, stride, bias=False)
            self.around = nn.Sequential(conv, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        y = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
        return self.relu2(y + self.around(x))


def build(
    num_classes: int,
    width: float,
    stem_stride: int = 1,
    blocks: Sequence[int] = (2, 2, 2, 2),
    dropout_factor: float = 0.0,
    init: str = "he",
) -> Network:
    """The network. ``stem_stride`` 2 quarters the work of every layer; ``blocks`` a stage.
    ``dropout`` is the rate before the dense layer. ``init``: glorot or he.
    """
    if stem_stride not in (1, 2) or len(blocks) != 4 or min(blocks) < 1:
        raise ValueError(
            f"stem_stride={stem_stride}, blocks={blocks}: 1 or 2, and four counts >= 1"
        )
    features, before = Stack("features"), scale(FILTERS[0], width)
    stem = nn.Conv2d(3, before, 3, stem_stride, 1, bias=False)
    features.layer("conv1", stem, nn.BatchNorm2d(before), nn.ReLU())
    for stage, (filters, count) in enumerate(zip(FILTERS, blocks, strict=True), 1):
        channels = scale(filters, width)
        stride = 1 if stage == 1 else 2
        units = [
            Block(before if i == 0 else channels, channels, stride if i == 0 else 1)
            for i in range(count)
        ]
        features.layer(f"stage{stage}", nn.Sequential(*units))
        features.layers[f"stage{stage}"] = last_conv(features, f"stage{stage}", count)
        before = channels
    classifier = Stack("classifier").add(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    classifier.add(dropout(1.0, dropout_factor))
    classifier.layer("dense1", nn.Linear(before, num_classes))
    network = Network(features, classifier)
    initialise(network, init)
    for module in network.modules():
        if isinstance(module, Block):  # blocks start as the identity (Goyal et al., 2017)
            nn.init.zeros_(module.norm2.weight)
    return network


def last_conv(features: Stack, name: str, count: int) -> Layer:
    """A stage's weights are those of its last convolution."""
    path = features.layers[name].weight
    return Layer(f"{path}.{count - 1}.conv2", path)
