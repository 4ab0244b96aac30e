"""Networks whose saliency is known."""

from torch import Tensor, nn

from tin_lib import networks
from tin_lib.networks.base import Layer


class Linear(networks.Network):
    """Scores that are linear in the image."""

    def __init__(self, weight: Tensor) -> None:
        nn.Module.__init__(self)
        self.name, self.num_classes = "linear", len(weight)
        self.features = nn.Sequential(nn.Identity())
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(weight[0].numel(), len(weight)))
        self.layers = {"dense1": Layer("classifier.1", "classifier.1")}
        self.classifier[1].weight.data = weight.flatten(1).clone()
        self.classifier[1].bias.data.zero_()


class Hidden(networks.Network):
    """One hidden layer of two units on the red and green sums of the first pixel.

    ``first``: (2 units, 2 colours); ``second``: (2,), the units' part in class 0's score.
    """

    def __init__(self, first: Tensor, second: Tensor) -> None:
        nn.Module.__init__(self)
        self.name, self.num_classes = "hidden", 2
        into, out = nn.Linear(3 * 64 * 64, 2, bias=False), nn.Linear(2, 2, bias=False)
        into.weight.data.zero_()
        into.weight.data[:, [0, 64 * 64]] = first
        out.weight.data = second.repeat(2, 1) * second.new_tensor([[1.0], [0.0]])
        self.features = nn.Sequential(nn.Identity())
        self.classifier = nn.Sequential(nn.Flatten(), into, nn.ReLU(), out)
        self.layers = {"dense1": Layer("classifier.1", "classifier.2")}
