"""ResNet-18 for 64×64 images (He et al., 2016), with a 3×3 stem and no pool after it; 11,271,432
weights at full width and 200 classes."""

from dataclasses import dataclass

from torch import Tensor, nn

from tin_lib.networks import base
from tin_lib.networks.base import Layer, Network, Stack, scale
from tin_lib.networks.layers import dropout

FILTERS = (64, 128, 256, 512)


@dataclass(frozen=True)
class Options(base.Options):
    """Choices for the residual network."""

    dropout: float = 0.0  # rate before the dense layer; the published network has none
    init: base.Init = "he"  # as published (normal, fan out); glorot for comparison
    blocks: tuple[int, ...] = (2, 2, 2, 2)  # a stage; (3, 4, 6, 3) is ResNet-34
    stem_stride: int = 1  # 2 quarters the work of every layer, for some accuracy
    squeeze_excite: bool = False  # channel attention (Hu et al., 2018)
    drop_path: float = 0.0  # stochastic depth (Huang et al., 2016): rate at which an image skips
    # the last block, less in earlier ones; regularises long trainings
    zero_init: bool = True  # blocks start as the identity (Goyal et al., 2017): for high rates

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.blocks) != 4 or min(self.blocks) < 1:
            raise ValueError(f"blocks={self.blocks}: must be four counts of at least 1")
        if self.stem_stride not in (1, 2):
            raise ValueError(f"stem_stride={self.stem_stride}: must be 1 or 2")


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


def build(num_classes: int, width: float, options: Options) -> Network:
    """The network, not yet initialised but for the zeros of ``zero_init``."""
    features, before = Stack("features"), scale(FILTERS[0], width)
    stem = nn.Conv2d(3, before, 3, options.stem_stride, 1, bias=False)
    features.layer("stem", stem, nn.BatchNorm2d(before), nn.ReLU())
    for number, (filters, count) in enumerate(zip(FILTERS, options.blocks, strict=True), 1):
        channels, stride, name = scale(filters, width), 1 if number == 1 else 2, f"stage{number}"
        rest = [Block(channels, channels, 1) for _ in range(count - 1)]
        features.layer(name, nn.Sequential(Block(before, channels, stride), *rest))
        path = features.layers[name].output  # a stage's filters are those of its last convolution
        features.layers[name] = Layer(f"{path}.{count - 1}.conv2", path, (path,))
        before = channels
    classifier = Stack("classifier").add(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    classifier.add(dropout(options.dropout, 1.0)).layer("dense1", nn.Linear(before, num_classes))
    network = Network(features, classifier)
    blocks = [module for module in network.modules() if isinstance(module, Block)]
    for number, block in enumerate(blocks, 1):
        channels = block.conv2.out_channels
        if options.squeeze_excite or options.drop_path:
            from torchvision.ops import SqueezeExcitation, StochasticDepth
        if options.squeeze_excite:
            block.excite = SqueezeExcitation(channels, scale(channels, 1 / 16))
        if options.drop_path:
            block.skip = StochasticDepth(options.drop_path * number / len(blocks), "row")
        if options.zero_init:
            nn.init.zeros_(block.norm2.weight)
    return network
