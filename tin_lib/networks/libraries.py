"""Classification networks of torchvision and timm by name, without their weights."""

from typing import Any

from torch import nn


def torchvision(model: str, num_classes: int, **given: Any) -> nn.Module:
    """A classification network of torchvision, with random weights."""
    from torchvision import models

    if model not in models.list_models(module=models):
        raise ValueError("torchvision has no such classification network")
    defaults: dict[str, Any] = {"image_size": 64} if model.startswith("vit") else {}
    if model == "googlenet":
        defaults = {"aux_logits": False, "init_weights": False}
    return models.get_model(model, num_classes=num_classes, **defaults | without_files(given))


def timm(model: str, num_classes: int, **given: Any) -> nn.Module:
    """A network of timm, which must be installed, with random weights."""
    try:
        import timm as library
    except ImportError:
        raise ValueError("timm is not installed: pip install timm") from None
    if not library.is_model(model):
        raise ValueError("timm has no such network")
    config = library.get_pretrained_cfg(model)
    sized = {"img_size": 64} if config and config.fixed_input_size else {}
    return library.create_model(model, num_classes=num_classes, **sized | without_files(given))


def without_files(given: dict[str, Any]) -> dict[str, Any]:
    """The options, which must not make a library read or fetch weights."""
    if bad := [k for k in given if k.startswith(("weight", "pretrained", "checkpoint", "cache"))]:
        raise ValueError(f"option {bad[0]!r}: give starting weights as the recipe's weights")
    return given
