"""Explanations of a prediction: one map the size of the image, for whole batches of images."""

import contextlib
import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

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
    the classes to explain; None takes each image's winning class. ``method``: a key of METHODS;
    ``options`` are the method's. The network is left as it was (modes, gradients, parameters), but
    is changed on the way: two threads need a copy each. Raises ValueError for an unknown method or
    option, and for targets that are not N classes of the network.
    """
    check_options(method, options)
    with explaining(network):
        target = winners(network, images, batch_size) if target is None else target
        check_target(network, images, target)
        # Channels last: a quarter faster on a CPU.
        parts = [
            METHODS[method](network, x.to(memory_format=torch.channels_last), y, **options)
            for x, y in zip(images.split(batch_size), target.split(batch_size), strict=True)
        ]
    return torch.cat(parts).detach().contiguous()


def check_options(method: str, options: dict[str, Any]) -> None:
    """Raise ValueError for an unknown method, or options that it does not have."""
    if method not in METHODS:
        raise ValueError(f"method={method!r}: choose one of {', '.join(METHODS)}")
    known = list(inspect.signature(METHODS[method]).parameters)[3:]  # after network, images, target
    if unknown := sorted(options.keys() - set(known)):
        raise ValueError(
            f"{method} has no option {unknown[0]!r}; options: {', '.join(known) or 'none'}"
        )


def listed(names: str) -> list[str]:
    """The methods of a list like ``gradient, grad_cam``; ValueError for an unknown one."""
    methods = list(dict.fromkeys(name.strip() for name in names.split(",")))
    for method in methods:
        check_options(method, {})
    return methods


def check_target(network: "Network", images: Tensor, target: Tensor) -> None:
    """Raise ValueError unless ``target`` names a class of the network for each image."""
    if target.shape != images.shape[:1]:
        raise ValueError(f"target: {tuple(target.shape)} for {len(images)} images; give one each")
    if len(target) and not 0 <= int(target.min()) <= int(target.max()) < network.num_classes:
        raise ValueError(f"target: classes go from 0 to {network.num_classes - 1}")


@contextlib.contextmanager
def explaining(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, and no gradients for parameters: only the image's is wanted, which saves a
    third of the work."""
    training = {module: module.training for module in network.modules()}
    wanted = {parameter: parameter.requires_grad for parameter in network.parameters()}
    network.eval().requires_grad_(False)
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode
        for parameter, flag in wanted.items():
            parameter.requires_grad_(flag)


@torch.no_grad()
def winners(network: nn.Module, images: Tensor, batch_size: int = CHUNK) -> Tensor:
    """The class with the highest score for each image, int64 (N,)."""
    return torch.cat([network(part).argmax(1) for part in images.split(batch_size)])


def leaf(images: Tensor) -> Tensor:
    """A copy that takes a gradient, which captum wants to be given."""
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
    """Gradient with negative signals dropped at each ReLU (Springenberg et al., 2015)."""
    from captum.attr import GuidedBackprop

    with warnings.catch_warnings():
        # captum says that it sets hooks on ReLUs, and removes them again.
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
    """Gradients along the way from the mean image (zero once normalised), times the way.

    Sundararajan et al., 2017: they sum to the difference of the two scores, up to ``steps``.
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

    What speaks for the class only (a ReLU, as published): a map can be empty. Enlarged to the
    image, it is as coarse as the layer's output, and the same for all three channels. ``layer``: a
    conv layer's name, ``first`` or ``last``. Raises ValueError, listing the layers, for another.
    """
    from captum.attr import LayerAttribution, LayerGradCam

    from tin_lib.analysis.filters import conv_layers, find_layer

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
    """Fall of the score when a patch is covered by the mean colour (Zeiler & Fergus, 2014).

    Each pixel gets the mean over the patches that cover it. ``patch`` and ``stride`` in pixels.
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
