"""Networks of torchvision and timm, and finished fits, as sources of features."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tin_lib import networks, runs
from tin_lib.analysis.features.backbone import Backbone, Preprocessing
from tin_lib.networks.foreign import aligned, misfit, read_state_dict
from tin_lib.networks.pretrained import is_own, weights_file

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KINDS = "torchvision:NAME, timm:NAME or the folder of a finished fit"


def open_backbone(
    network: str,
    weights: str | Path = "default",
    size: int | None = None,
    interpolation: str | None = None,
) -> Backbone:
    """A network as a source of features.

    ``network``: torchvision:NAME, timm:NAME, or a finished fit's folder. ``weights``: "default",
    the library's own pretrained weights (a fit's: those it was trained to), "random" (seed 0, or
    the fit's), or a file with a state dict. ``size``: side of the input, pixels.
    ``interpolation``: bilinear or bicubic. Both are the network's own where they are None. Raises
    ValueError or FileNotFoundError for an unknown network, and for weights that are missing or do
    not fit.
    """
    library, colon, name = network.partition(":")
    if colon and library in LIBRARIES:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module, own = LIBRARIES[library](name, weights == "default", size)
    elif (Path(network) / "recipe.json").is_file():
        fit = runs.open_fit(network)
        module, own = of_fit(fit, weights == "random")
        network = fit.name
    else:
        raise ValueError(f"network {network!r}: must be {KINDS}")
    settings: dict[str, Any] = own | {"size": own["size"] if size is None else size}
    preprocessing = Preprocessing(**settings | given(interpolation=interpolation))
    if weights not in ("default", "random"):
        load_file_(module, Path(weights).expanduser(), network)
    origin = str(weights) if weights in ("default", "random") else Path(weights).name
    return Backbone(network, module, preprocessing, origin)


def given(**values: Any) -> dict[str, Any]:
    """The arguments that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def of_fit(fit: runs.Fit, untrained: bool) -> tuple[nn.Module, dict[str, Any]]:
    """A fit's network and its input: 64 pixels, normalised by the fit's training images."""
    mean, std = ((values / 255).tolist() for values in (fit.mean, fit.std))
    network = fit.network()
    if untrained:
        network = fresh(network, fit.recipe["seed"])
    return network, {"size": 64, "mean": tuple(mean), "std": tuple(std)}


def of_torchvision(
    name: str, pretrained: bool, size: int | None
) -> tuple[nn.Module, dict[str, Any]]:
    """A classification network of torchvision, and the input that its weights were made for."""
    from torchvision import models

    if name not in models.list_models(module=models):
        raise ValueError(f"network 'torchvision:{name}': torchvision has no such network")
    default = models.get_model_weights(name).DEFAULT  # type: ignore[attr-defined]
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    try:
        module = models.get_model(name, weights=default if pretrained else None, **options)
    except Exception as error:  # of urllib, hashing or unpickling
        raise missing(f"torchvision:{name}", default.url, error) from None
    transforms = default.transforms()
    own = {"size": transforms.crop_size[0], "interpolation": transforms.interpolation.value}
    return module, own | {"mean": tuple(transforms.mean), "std": tuple(transforms.std)}


def of_timm(name: str, pretrained: bool, size: int | None) -> tuple[nn.Module, dict[str, Any]]:
    """A network of timm, and the input that its weights were made for."""
    try:
        import timm
    except ImportError:
        raise ValueError(
            f"network 'timm:{name}': timm is not installed: pip install timm"
        ) from None
    if not timm.is_model(name):
        raise ValueError(f"network 'timm:{name}': timm has no such network")
    config = timm.get_pretrained_cfg(name)
    if config is None:
        raise ValueError(f"network 'timm:{name}': timm has no pretrained weights for it")
    try:
        module = timm.create_model(name, pretrained=pretrained)
    except Exception as error:  # of huggingface_hub, urllib or safetensors
        page = f"https://huggingface.co/{config.hf_hub_id}" if config.hf_hub_id else config.url
        raise missing(f"timm:{name}", page, error) from None
    resize: Any = getattr(module, "set_input_size", None)
    if size and config.fixed_input_size and resize:
        resize(img_size=size)  # interpolates a vision transformer's positions
    own = {"size": config.input_size[1], "interpolation": config.interpolation}
    return module, own | {"mean": tuple(config.mean), "std": tuple(config.std)}


def downloaded(network: str) -> Path | None:
    """The file of torchvision's own weights for torchvision:NAME in torch.hub's cache, or None."""
    from torchvision import models

    url = models.get_model_weights(network.partition(":")[2]).DEFAULT.url  # type: ignore[attr-defined]
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    return path if path.is_file() else None


LIBRARIES = {"torchvision": of_torchvision, "timm": of_timm}


def missing(network: str, source: Any, error: Exception) -> ValueError:
    """The error for pretrained weights that could not be fetched."""
    reason = next(iter(str(error).splitlines()), "")[:150]
    return ValueError(
        f"weights='default': the weights of {network} could not be fetched ({type(error).__name__}:"
        f" {reason}). With a network they come from {source}; without one, fetch the file elsewhere"
        " and pass its path as weights"
    )


def fresh(network: networks.Network, seed: int) -> networks.Network:
    """The same network with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sizes = network.num_classes, network.width
        return networks.create(network.name, *sizes, **network.options)


def load_file_(module: nn.Module, path: Path, network: str) -> None:
    """Put the state dict of a file into the network.

    Raises ValueError, naming the file, unless all of its weights are the network's.
    """
    path = weights_file(path) or path
    if is_own(path):
        raise ValueError(f"weights: {path} is a fit of this library; give its folder as network")
    wanted = module.state_dict()
    state = renamed(aligned(read_state_dict(path), wanted), wanted)
    if wrong := misfit(state, wanted):
        raise ValueError(f"weights: {path} does not fit {network}: {wrong}")
    module.load_state_dict(state)


def renamed(state: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state dict under the names of ``wanted``.

    Names that agree stay. Where none does, as between implementations of one architecture
    (efficientnet_lite_pytorch and timm), weights are matched by their order, if every one has the
    same kind (the last part of its name) and shape. Otherwise the state dict comes back unchanged.
    """
    if set(state) & set(wanted) or len(state) != len(wanted):
        return state
    pairs = list(zip(state.items(), wanted.items(), strict=True))
    same = all(
        old.rpartition(".")[2] == new.rpartition(".")[2]
        and getattr(value, "shape", None) == expected.shape
        for (old, value), (new, expected) in pairs
    )
    return {new: value for (_, value), (new, _) in pairs} if same else state
