"""Tiny ImageNet Challenge, reproduced and extended: the library behind the notebooks.

Nothing happens at import: no device is chosen, no logger configured, no file touched.
"""

__version__ = "0.1.0"
