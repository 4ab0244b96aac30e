"""The paper's four networks, a residual one, and any of yours (layers: docs/NETWORKS.md).

>>> networks.register("my_network", build, title="My network")  # build(num_classes, width=1.0, …)
"""

from tin_lib.networks.base import Layer, Network, parameter_count
from tin_lib.networks.layers import DropConnectConv2d, DropConnectLinear
from tin_lib.networks.pretrained import create
from tin_lib.networks.registry import build_digest, has_width, names, options, register, trust
from tin_lib.networks.weights import load, read_meta, save

__all__ = ["DropConnectConv2d", "DropConnectLinear", "Layer", "Network", "build_digest", "create"]
__all__ += ["has_width", "load", "names", "options", "parameter_count"]
__all__ += ["read_meta", "register", "save", "trust"]
