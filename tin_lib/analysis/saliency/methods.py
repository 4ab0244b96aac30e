"""Explanations of a prediction: one map the size of the image, for whole batches of images."""

import inspect
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tin_lib.analysis.arrays import check_inputs
from tin_lib.analysis.layers import conv_layers, find_layer
from tin_lib.analysis.saliency.relu_modules import has_relu_modules_only
from tin_lib.analysis.whole_numbers import whole
from tin_lib.networks.base import evaluation_mode

if TYPE_CHECKING:
    from tin_lib.networks import Network

CHUNK = 64  # images explained at a time; bounds the memory


def explain(
    network: "Network",
    images: Tensor,
    method: str = "gradient",
    target: Tensor | None = None,
    batch_size: int = CHUNK,
    **options: Any,
) -> Tensor:
    """Explain ``network``'s scores of ``images``: float32 (N, 3, H, W), signed.

    ``images``: normalised float32 (N, 3, H, W) on the network's device. ``target``: int64 (N,),
    the classes to explain; None takes each image's predicted class. ``method``: a key of METHODS;
    ``options`` are the method's. The network is left as it was (modes, gradients, parameters), but
    changes meanwhile: two threads need a copy each. Raises ValueError for an unknown method or
    option, a method that cannot explain this network, and targets that are not N of its classes.
    """
    check_options(method, options)
    batch_size = whole("batch_size", batch_size, 1)
    if reason := why_not(network, method):
        raise ValueError(reason)
    check_inputs(network, images)
    with evaluation_mode(network, gradients=False):
        target = predicted_classes(network, images, batch_size) if target is None else target
        check_target(network, images, target)
        # Channels last: a quarter faster on a CPU.
        parts = [
            METHODS[method](network, x.to(memory_format=torch.channels_last), y, **options)
            for x, y in zip(images.split(batch_size), target.split(batch_size), strict=True)
        ]
    return torch.cat(parts).detach().contiguous()


def methods_for(network: "Network") -> list[str]:
    """The methods that can explain a network, in the order of METHODS."""
    reasons = unavailable(network)
    return [method for method in METHODS if method not in reasons]


def unavailable(network: "Network") -> dict[str, str]:
    """The methods that cannot explain a network, each with the reason in a sentence."""
    reasons = {method: why_not(network, method) for method in METHODS}
    return {method: reason for method, reason in reasons.items() if reason}


def why_not(network: "Network", method: str) -> str:
    """Why a method cannot explain a network, in a sentence; empty if it can."""
    name = network.name or "this network"
    if method == "guided_backprop" and not has_relu_modules_only(network):
        return (
            f"guided_backprop: {name} computes other activations than ReLU, or not by nn.ReLU "
            "modules, so that the result would be the plain gradient; use gradient instead"
        )
    if method == "grad_cam" and not conv_layers(network):
        return f"grad_cam: {name} has no named convolution layer"
    return ""


def check_options(method: str, options: dict[str, Any]) -> None:
    """Raise ValueError for an unknown method, or options that it does not have."""
    if method not in METHODS:
        raise ValueError(f"method={method!r}: choose one of {', '.join(METHODS)}")
    known = list(inspect.signature(METHODS[method]).parameters)[3:]  # after network, images, target
    if unknown := sorted(options.keys() - set(known)):
        raise ValueError(
            f"{method} has no option {unknown[0]!r}; options: {', '.join(known) or 'none'}"
        )


def parse_methods(names: str) -> list[str]:
    """The methods of a list like ``gradient, grad_cam``; ValueError for an unknown one."""
    methods = list(dict.fromkeys(name.strip() for name in names.split(",")))
    for method in methods:
        check_options(method, {})
    return methods


def check_target(network: "Network", images: Tensor, target: Tensor) -> None:
    """Raise ValueError unless ``target`` names a class of the network for each image."""
    if target.shape != images.shape[:1] or target.dtype != torch.int64:
        raise ValueError(f"target: {target.dtype} {tuple(target.shape)}; give an int64 an image")
    if len(target) and not 0 <= int(target.min()) <= int(target.max()) < network.num_classes:
        raise ValueError(f"target: classes go from 0 to {network.num_classes - 1}")


@torch.no_grad()
def predicted_classes(network: nn.Module, images: Tensor, batch_size: int = CHUNK) -> Tensor:
    """The class with the highest score for each image, int64 (N,)."""
    check_inputs(network, images)
    parts = images.split(whole("batch_size", batch_size, 1))
    return torch.cat([network(part).argmax(1) for part in parts])


def leaf(images: Tensor) -> Tensor:
    """A copy that requires a gradient, as captum expects."""
    return images.detach().clone().requires_grad_(True)


def gradient(
    network: nn.Module, images: Tensor, target: Tensor, after_softmax: bool = False
) -> Tensor:
    """Gradient of the class's score (Simonyan et al., 2014; the paper's section on saliency).

    Before softmax by default: the score of this class alone. ``after_softmax`` explains the
    probability instead, which also rises when the scores of other classes fall, and whose gradient
    vanishes where the network is sure.
    """
    with torch.enable_grad():
        x = leaf(images)
        scores = network(x)
        scores = scores.softmax(1) if after_softmax else scores
        (found,) = torch.autograd.grad(scores.gather(1, target[:, None]).sum(), x)
    return found


def guided_backprop(network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """Gradient with negative signals dropped at each ReLU (Springenberg et al., 2015).

    Only for networks whose activations are all nn.ReLU modules: see ``unavailable``.
    """
    from captum.attr import GuidedBackprop

    with warnings.catch_warnings():
        # captum's notice that it sets hooks on ReLUs and removes them again.
        warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU")
        return GuidedBackprop(network).attribute(leaf(images), target=target)


def smoothgrad(
    network: nn.Module,
    images: Tensor,
    target: Tensor,
    samples: int = 16,
    noise: float = 0.15,
    seed: int = 0,
) -> Tensor:
    """Mean gradient over noisy copies of the image (Smilkov et al., 2017).

    ``noise``: standard deviation as a share of each image's own range. Each of the ``samples`` is
    drawn from ``seed``, the same for every image, so that maps do not depend on the batch.
    """
    if samples < 1:
        raise ValueError(f"samples={samples}: smoothgrad needs at least 1")
    generator = torch.Generator().manual_seed(seed)
    spread = (images.amax((1, 2, 3)) - images.amin((1, 2, 3)))[:, None, None, None] * noise
    total = torch.zeros_like(images)
    for _ in range(samples):
        drawn = torch.randn(images.shape[1:], generator=generator).to(images.device)
        total += gradient(network, images + spread * drawn, target)
    return total / samples


def integrated_gradients(
    network: nn.Module, images: Tensor, target: Tensor, steps: int = 32
) -> Tensor:
    """Mean gradient on the line from the mean image (zero once normalised), times the difference.

    Sundararajan et al., 2017. The map sums to the difference of the two scores, the more exactly
    the more ``steps``.
    """
    from captum.attr import IntegratedGradients

    if steps < 1:
        raise ValueError(f"steps={steps}: integrated_gradients needs at least 1")
    found = IntegratedGradients(network).attribute(
        images, target=target, n_steps=steps, internal_batch_size=CHUNK
    )
    return found.float()


def grad_cam(network: "Network", images: Tensor, target: Tensor, layer: str = "last") -> Tensor:
    """Channels of a conv layer weighted by their mean gradient (Selvaraju et al., 2017).

    Only evidence for the class is shown (a ReLU, as published), so that a map can be empty. It is
    enlarged to the image from the size of the layer's output, the same for all three channels.
    ``layer``: a conv layer's name, ``first`` or ``last``. Raises ValueError, listing the layers,
    for another.
    """
    from captum.attr import LayerAttribution, LayerGradCam

    name = find_layer(network, layer)
    if name not in (convs := conv_layers(network)):
        raise ValueError(f"layer={layer!r}: choose a conv layer, {', '.join(convs)}, first or last")
    module = network.get_submodule(network.layers[name].output)
    found = LayerGradCam(network, module).attribute(
        leaf(images), target=target, relu_attributions=True
    )
    size = (images.shape[2], images.shape[3])
    large = LayerAttribution.interpolate(found, size, interpolate_mode="bilinear")
    return large.detach().expand(-1, 3, -1, -1)


def occlusion(
    network: nn.Module, images: Tensor, target: Tensor, patch: int = 12, stride: int = 4
) -> Tensor:
    """Decrease of the score when a patch is covered by the mean colour (Zeiler & Fergus, 2014).

    Each pixel has the mean over the patches that cover it. ``patch`` and ``stride`` in pixels.
    """
    from captum.attr import Occlusion

    if not 1 <= stride <= patch <= min(images.shape[2:]):
        raise ValueError(f"stride={stride}, patch={patch}: 1 ≤ stride ≤ patch ≤ the image's side")

    return (
        Occlusion(network)
        .attribute(
            images,
            target=target,
            sliding_window_shapes=(images.shape[1], patch, patch),
            strides=(images.shape[1], stride, stride),
            perturbations_per_eval=4,
        )
        .float()
    )


METHODS: dict[str, Callable[..., Tensor]] = {
    "gradient": gradient,
    "guided_backprop": guided_backprop,
    "smoothgrad": smoothgrad,
    "integrated_gradients": integrated_gradients,
    "grad_cam": grad_cam,
    "occlusion": occlusion,
}
