"""The built-in sample: a synthetic stand-in for Tiny ImageNet, in the official folder layout.

Ten classes of drawn shapes (disc, ring, ... ladder) of random size, place, rotation, stretch and
colour on cluttered grounds: 120 training, 20 validation and 20 test images a class, 64×64 JPEG.
Only the shape depends on the class. As in the real data there are grayscale files, byte-identical
files, and a validation image whose label contradicts its twin's in train.
"""

from tin_lib.sample.build import ensure, write

__all__ = ["ensure", "write"]
