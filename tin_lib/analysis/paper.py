"""The figures of the paper "Tiny ImageNet Challenge" (A. Shcherbina, CS231n)."""

# Accuracies in 0..1. AlexNet: the author's version ran out of memory.
RESULTS: dict[str, dict[str, float]] = {
    "convnet9": {"train": 0.988, "val": 0.455, "test": 0.423},
    "vgg_like": {"train": 0.488, "val": 0.288, "test": 0.237},
    "vgg16": {"train": 0.760, "val": 0.535, "test": 0.494},
    "majority vote": {"test": 0.492},
}
CLASSES, TRAIN_IMAGES = 200, 100_000
ERROR_CORRELATION = 0.732  # Pearson, across the networks' validation errors
