"""ResNet-18 for 64×64 images (He et al., 2016), with a 3×3 stem and no pool after it; 11,271,432
parameters at full width and 200 classes."""

from torch import Tensor, nn

from tin_lib.networks import layers
from tin_lib.networks.base import Init, Network, Stack, initialise, scale

FILTERS = (64, 128, 256, 512)


class Block(nn.Module):
    """Two 3×3 convolutions and a shortcut; (N, C, H, W) → (N, C', H/stride, W/stride)."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.norm1, self.relu1 = nn.BatchNorm2d(channels), nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2, self.relu2 = nn.BatchNorm2d(channels), nn.ReLU()
        self.excite: nn.Module = nn.Identity()
        self.skip: nn.Module = nn.Identity()
        self.around: nn.Module = nn.Identity()
        if stride != 1 or before != channels:
            # Every other pixel, then 1×1: as with the stride in the convolution, whose gradient on
            # CPUs writes out of bounds for few channels in channels-last memory (oneDNN #6035).
            every, conv = nn.AvgPool2d(1, stride), nn.Conv2d(before, channels, 1, bias=False)
            self.around = nn.Sequential(every, conv, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        y = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
        return self.relu2(self.skip(self.excite(y)) + self.around(x))


def build(
    num_classes: int,
    width: float = 1.0,
    dropout: float = 0.0,  # rate before the dense layer; the published network has none
    init: Init = "he",  # as published (normal, fan out); glorot for comparison
    blocks: tuple[int, ...] = (2, 2, 2, 2),  # a stage; (3, 4, 6, 3) is ResNet-34
    stem_stride: int = 1,  # 2 quarters the work of every layer, for some accuracy
    squeeze_excite: bool = False,  # channel attention (Hu et al., 2018)
    # Stochastic depth (Huang et al., 2016): rate at which an image skips the last block, less in
    # earlier ones; regularises long trainings.
    drop_path: float = 0.0,
    zero_init: bool = True,  # blocks start as the identity (Goyal et al., 2017): for high rates
) -> Network:
    """The network with random weights."""
    if len(blocks) != 4 or min(blocks) < 1:
        raise ValueError(f"blocks={blocks}: must be four counts of at least 1")
    if stem_stride not in (1, 2):
        raise ValueError(f"stem_stride={stem_stride}: must be 1 or 2")
    features, before = Stack("features"), scale(FILTERS[0], width)
    stem = nn.Conv2d(3, before, 3, stem_stride, 1, bias=False)
    features.layer("stem", stem, nn.BatchNorm2d(before), nn.ReLU())
    for number, (filters, count) in enumerate(zip(FILTERS, blocks, strict=True), 1):
        channels, stride = scale(filters, width), 1 if number == 1 else 2
        rest = [Block(channels, channels, 1) for _ in range(count - 1)]
        stage = nn.Sequential(Block(before, channels, stride), *rest)
        features.layer(f"stage{number}", stage, filters=f"0.{count - 1}.conv2")  # its last ones
        before = channels
    classifier = Stack("classifier").add(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    classifier.add(layers.dropout(dropout)).layer("dense1", nn.Linear(before, num_classes))
    network = Network(features, classifier)
    residual = [module for module in network.modules() if isinstance(module, Block)]
    for number, block in enumerate(residual, 1):
        channels = block.conv2.out_channels
        if squeeze_excite or drop_path:
            from torchvision.ops import SqueezeExcitation, StochasticDepth
        if squeeze_excite:
            block.excite = SqueezeExcitation(channels, scale(channels, 1 / 16))
        if drop_path:
            block.skip = StochasticDepth(drop_path * number / len(residual), "row")
        if zero_init:
            nn.init.zeros_(block.norm2.weight)
    return initialise(network, init)
