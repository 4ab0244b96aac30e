"""Training: ``fit``, the one training loop for any recipe, network and device."""

from tin_lib.train.fit import Diverged, Interrupted, Trainer, fit

__all__ = ["Diverged", "Interrupted", "Trainer", "fit"]
