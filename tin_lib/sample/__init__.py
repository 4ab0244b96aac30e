"""The built-in sample: a synthetic stand-in for Tiny ImageNet, in the official folder layout.

Ten classes of drawn shapes, 120 training, 20 validation and 20 test images a class. Only the shape
depends on the class. As in the real data, some files are grayscale, identical or mislabelled.
"""

from tin_lib.sample.build import ensure, write

__all__ = ["ensure", "write"]
