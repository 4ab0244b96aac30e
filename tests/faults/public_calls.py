"""One valid call of each public function that computes from plain values: numbers, texts, arrays,
tables, networks. ``CALLS`` maps a function, as docs/API.md names it, to its arguments by name.

not_tried.txt lists the other public names in groups, each with its reason."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch

from tin_lib import augment, networks, penalties
from tin_lib.analysis import errors, filters, saliency
from tin_lib.analysis.runs import Run


class Toys:
    """Small arguments, made when they are first needed; ``run``: of two fits of one epoch."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.fits = {("one", 0): run.first}

    @cached_property
    def network(self) -> Any:
        torch.manual_seed(0)
        return networks.create("vgg_like", 3, 0.05).eval()

    images = torch.zeros(2, 3, 64, 64, dtype=torch.uint8) + torch.arange(64, dtype=torch.uint8)
    inputs = torch.linspace(-1, 1, 2 * 3 * 64 * 64).reshape(2, 3, 64, 64)
    mean, std = torch.tensor([120.0, 110, 100]), torch.tensor([60.0, 61, 62])
    erased = torch.tensor([[8, 30, 4, 40], [0, 0, 0, 0]])
    labels = torch.tensor([0, 2])
    scores = np.array([[1.0, 2, 0.5], [0.1, 0.2, 3], [2, 1, 0]], np.float32)
    boxes = np.array([[8, 8, 40, 40], [0, 0, 63, 63], [4, 9, 20, 60]], np.int16)
    kernels = torch.linspace(-1, 1, 4 * 3 * 3 * 3).reshape(4, 3, 3, 3)
    names: ClassVar = {"n1": "cat", "n2": "dog", "n3": "eel"}
    predictions = pd.DataFrame(
        {
            "file": ["a", "b", "c", "d"],
            "label": ["n1", "n2", "n3", "n1"],
            "predicted": ["n1", "n1", "n3", "n2"],
            "probability": [0.9, 0.5, 0.8, 0.4],
        }
    )

    @cached_property
    def counts(self) -> Any:
        return errors.confusion_matrix(self.predictions, self.names)

    @cached_property
    def classes(self) -> Any:
        return errors.per_class(self.predictions, self.names)

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        return {"a": self.predictions, "b": self.predictions.assign(predicted="n1")}

    @cached_property
    def filter_images(self) -> Any:
        return filters.Images(self.images.numpy(), self.labels.numpy(), self.mean, self.std)

    @cached_property
    def found(self) -> Any:
        return filters.survey(self.network, "first", self.filter_images, top=1)


Make = Callable[[Toys], dict[str, Any]]
CALLS: dict[str, Make] = {
    "augment.draw_mixing": lambda t: {
        "rng": np.random.default_rng(0), "mixup": 0.2,
    },
    "augment.AugmentSpec": lambda t: {
        "mode": "modern", "fraction": 0.5, "crop_size": 55, "resize": "spline",
        "contrast": (0.8, 1.2), "tint": (-5.0, 5.0), "shift": 2, "jitter": 0.1, "erase": 0.1,
    },
    "augment.Augmenter": lambda t: {"spec": augment.AugmentSpec("modern"), "n": 4, "seed": 1},
    "augment.draw_offsets": lambda t: {
        "n": 2, "generator": torch.Generator(), "size": 55, "resize": "spline",
    },
    "augment.erase_": lambda t: {"images": t.inputs.clone(), "boxes": t.erased},
    "augment.mix": lambda t: {
        "images": t.inputs, "labels": t.labels, "mixing": augment.Mixing(0.5),
    },
    "augment.render": lambda t: {
        "images": t.images, "plan": augment.unchanged(torch.arange(2)), "mean": t.mean,
        "std": t.std, "size": 32,
    },
    "augment.saturate_": lambda t: {"images": t.inputs.clone(), "factor": torch.ones(2)},
    "augment.unchanged": lambda t: {"image": torch.arange(2)},
    "augment.normalise": lambda t: {"images": t.images, "mean": t.mean, "std": t.std, "size": 32},
    "networks.create": lambda t: {"name": "vgg_like", "num_classes": 3, "width": 0.05},
    "networks.has_width": lambda t: {"name": "vgg16"},
    "networks.options": lambda t: {"name": "vgg16"},
    "recipes.get": lambda t: {"name": "quick", "network": "vgg16"},
    "recipes.Recipe": lambda t: {
        "network": "vgg16", "epochs": 2, "lr": 0.1, "width": 0.5, "seed": 1, "batch_size": 8,
        "optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.1, "warmup": 0.1, "clip": 1.0,
        "label_smoothing": 0.1, "mixup": 0.2, "ema": 0.9, "seconds": 5.0, "patience": 1,
        "keep": "best", "precision": "auto", "compile": "", "penalties": "none",
    },
    "penalties.Penalty": lambda t: {
        "l1": 0.1, "l2": 0.2, "activity_l1": 0.3, "activity_l2": 0.4,
    },
    "penalties.alike": lambda t: {"weights": 0.1, "activity": 0.2},
    "penalties.named": lambda t: {"which": "paper", "network": "vgg16"},
    "penalties.add_gradient_": lambda t: {
        "network": t.network, "penalties": {"dense1": penalties.alike(0.1)},
    },
    "penalties.activity_penalty": lambda t: {
        "activations": {"dense1": torch.ones(2, 3)},
        "penalties": {"dense1": penalties.alike(0.1, 0.1)},
    },
    "predict.scores": lambda t: {
        "network": t.network, "images": t.images, "mean": t.mean, "std": t.std, "size": 64,
    },
    "predict.top": lambda t: {"logits": torch.tensor(t.scores), "k": 2},
    "predict.accuracy": lambda t: {
        "logits": t.scores, "labels": np.array([1, 2, 0]), "k": 1,
    },
    "analysis.ensemble.majority_vote": lambda t: {
        "predictions": np.array([[0, 1], [0, 2], [1, 1]]), "fallback": 0,
    },
    "analysis.ensemble.ties": lambda t: {"predictions": np.array([[0, 1], [0, 2], [1, 1]])},
    "analysis.ensemble.soft_vote": lambda t: {"logits": [t.scores, t.scores]},
    "analysis.statistics.wilson": lambda t: {
        "correct": np.array([3, 4]), "total": np.array([10, 9]), "level": 0.95,
    },
    "analysis.statistics.paired_difference": lambda t: {
        "a": np.array([1.0, 2, 3]), "b": np.array([1.0, 1, 1]),
    },
    "analysis.statistics.mcnemar": lambda t: {
        "a_correct": np.array([True, False, True]), "b_correct": np.array([True, True, True]),
    },
    "analysis.statistics.holm": lambda t: {"p_values": np.array([0.1, 0.02])},
    "analysis.statistics.above_chance": lambda t: {"correct": 8, "total": 10, "classes": 4},
    "analysis.statistics.crossed_difference": lambda t: {
        "a": np.array([[1.0, 0, 1], [1, 1, 1]]), "b": np.array([[1.0, 0, 0], [0, 1, 1]]),
    },
    "analysis.errors.best_and_worst": lambda t: {"classes": t.classes, "k": 1},
    "analysis.errors.box_properties": lambda t: {"boxes": t.boxes},
    "analysis.errors.box_table": lambda t: {"predictions": t.predictions[:3], "boxes": t.boxes},
    "analysis.errors.confusion_matrix": lambda t: {"predictions": t.predictions, "names": t.names},
    "analysis.errors.most_confused": lambda t: {"counts": t.counts, "names": t.names, "k": 2},
    "analysis.errors.mutually_confused": lambda t: {"counts": t.counts, "names": t.names, "k": 2},
    "analysis.errors.per_class": lambda t: {"predictions": t.predictions, "names": t.names},
    "analysis.errors.table3": lambda t: {"predictions": t.tables, "names": t.names, "k": 1},
    "analysis.errors.agreement": lambda t: {"tables": t.tables},
    "analysis.errors.by_image": lambda t: {"tables": t.tables},
    "analysis.saliency.explain": lambda t: {
        "network": t.network, "images": t.inputs, "method": "gradient", "target": t.labels,
        "batch_size": 2,
    },
    "analysis.saliency.absolute": lambda t: {"maps": t.inputs},
    "analysis.saliency.positive": lambda t: {"maps": t.inputs},
    "analysis.saliency.negative": lambda t: {"maps": t.inputs},
    "analysis.saliency.preprocessed": lambda t: {"inputs": t.inputs},
    "analysis.saliency.figure5_rows": lambda t: {
        "pixels": t.images.numpy(), "inputs": t.inputs, "maps": t.inputs,
    },
    "analysis.saliency.to_uint8": lambda t: {
        "view": saliency.absolute(t.inputs), "percentile": 99.0, "scale": torch.tensor([1.0, 2]),
    },
    "analysis.moments.expected_relu": lambda t: {
        "mean": torch.tensor([0.1, -0.2]), "variance": torch.tensor([1.0, 2]),
    },
    "analysis.saliency.full_strength": lambda t: {
        "view": saliency.absolute(t.inputs), "percentile": 99.0,
    },
    "analysis.saliency.overlay": lambda t: {
        "images": t.images.numpy(), "view": t.images[:, 0].numpy(), "strength": 0.5,
    },
    "analysis.saliency.parse_methods": lambda t: {"names": "gradient, grad_cam"},
    "analysis.saliency.predicted_classes": lambda t: {
        "network": t.network, "images": t.inputs, "batch_size": 2,
    },
    "analysis.filters.Options": lambda t: {
        "steps": 3, "rate": 0.1, "parametrisation": "fourier", "objective": "channel", "jitter": 1,
        "blur": 0.5, "total_variation": 0.1, "chunk": 4, "seed": 0,
    },
    "analysis.filters.find_layer": lambda t: {"network": t.network, "layer": "first"},
    "analysis.filters.weight": lambda t: {"network": t.network, "layer": "conv1"},
    "analysis.filters.kernel_images": lambda t: {"kernels": t.kernels},
    "analysis.filters.kernel_roughness": lambda t: {"weights": t.kernels},
    "analysis.filters.nearest": lambda t: {"weights": t.kernels},
    "analysis.filters.roughness": lambda t: {"values": t.kernels},
    "analysis.filters.survey": lambda t: {
        "network": t.network, "layer": "first", "images": t.filter_images, "top": 1,
    },
    "analysis.filters.preferred_classes": lambda t: {
        "found": t.found, "class_names": ["a", "b", "c"], "best": 2,
    },
    "analysis.augmentation.examples": lambda t: {"image": t.images[0].numpy(), "seed": 1},
    "analysis.augmentation.contrast": lambda t: {"images": t.inputs, "factor": torch.ones(2)},
    "analysis.augmentation.tint": lambda t: {"images": t.inputs, "colour": torch.ones(2, 3)},
    "analysis.augmentation.crop_resize": lambda t: {
        "images": t.inputs, "top": torch.tensor([1, 2]), "left": torch.tensor([0, 3]), "size": 55,
        "resize": "author",
    },
    "analysis.augmentation.resize_difference": lambda t: {
        "images": t.images.numpy(), "size": 55, "seed": 1,
    },
    "analysis.lr_range.check": lambda t: {"low": 1e-3, "high": 1.0, "updates": 20},
    "analysis.layerwise.stages": lambda t: {"layers": ["a", "b", "c"], "count": 2},
    "analysis.features.Options": lambda t: {
        "precision": "auto", "dtype": "float16", "batch_size": 4,
    },
    "analysis.adaptive.check": lambda t: {"strength": 1.0, "worst": 0.1},
    "analysis.adaptive.smooth": lambda t: {
        "error": np.array([0.1, 0.5]), "images": np.array([10, 10]), "smoothing": 2.0,
    },
    "analysis.adaptive.bounded": lambda t: {"shares": np.array([1.0, 2, 3]), "most": 2.0},
    "analysis.adaptive.worst_classes": lambda t: {
        "errors": pd.DataFrame({"error": [0.1, 0.5], "smoothed": [0.2, 0.4]}), "worst": 0.5,
    },
    "analysis.pruning.Pruning": lambda t: {"keep": 0.5, "scope": "global"},
    "analysis.pruning.prune_": lambda t: {
        "network": networks.create("vgg_like", 3, 0.05), "keep": 0.5, "scope": "layer",
    },
    "analysis.pruning.prune_filters": lambda t: {"network": t.network, "keep": 0.5},
    "analysis.pruning.weight_table": lambda t: {"network": t.network},
    "analysis.adaptive.accuracy_by_class": lambda t: {"fit": t.run.first, "split": "val"},
    "analysis.adaptive.count_labels": lambda t: {"fit": t.run.first, "split": "val"},
    "analysis.arms.correct": lambda t: {"fit": t.run.first, "split": "val"},
    "analysis.arms.by_fit": lambda t: {"fits": t.fits},
    "analysis.arms.finished": lambda t: {"fits": t.fits},
    "analysis.arms.check_images": lambda t: {"fits": t.fits},
    "analysis.pruning.epochs_to_reach": lambda t: {"fits": t.fits, "dense": t.fits},
    "analysis.ensemble.errors": lambda t: {"predictions": t.tables},
    "analysis.ensemble.best_network": lambda t: {"tables": t.tables},
    "analysis.ensemble.predictions": lambda t: {"run": t.run, "split": "val"},
    "analysis.ensemble.soft": lambda t: {"run": t.run, "split": "val"},
    "analysis.ensemble.vote": lambda t: {"run": t.run, "split": "val", "fallback": "vgg_like"},
    "analysis.errors.class_order": lambda t: {"counts": t.counts},
    "analysis.filters.image_roughness": lambda t: {"images": t.images.numpy()},
    "analysis.filters.filter_count": lambda t: {"network": t.network, "layer": "conv1"},
    "analysis.filters.selectivity": lambda t: {"found": t.found},
    "analysis.filters.first_layer": lambda t: {"network": t.network},
    "analysis.filters.receptive_field": lambda t: {"network": t.network, "layer": "conv1"},
    "analysis.saliency.methods_for": lambda t: {"network": t.network},
    "analysis.runs.open_fit": lambda t: {"path": t.run.first.path},
    "analysis.runs.open_run": lambda t: {"path": t.run.path},
    "networks.load": lambda t: {"path": t.run.first.path / "weights.safetensors"},
    "networks.read_meta": lambda t: {"path": t.run.first.path / "weights.safetensors"},
    "networks.parameter_count": lambda t: {"module": t.network},
    "files.read_json": lambda t: {"path": t.run.first.path / "recipe.json"},
    "files.read_object": lambda t: {"path": t.run.first.path / "recipe.json"},
    "files.read_table": lambda t: {"path": t.run.first.path / "predictions_val.csv"},
    "recipes.augment_from": lambda t: {"values": {"mode": "modern"}},
}  # fmt: skip
_LINES = Path(__file__).with_name("not_tried.txt").read_text("utf-8").splitlines()
NOT_TRIED = {line for line in _LINES if line and not line.startswith("#")}
