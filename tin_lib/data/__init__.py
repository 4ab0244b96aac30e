"""Images on disk, packed once and opened as arrays; ``open_data`` is what the library calls.

``layout`` lists the image files with their labels and boxes, ``decode`` turns them into arrays,
``packed`` stores these, ``subset`` opens all or part of them, ``types.to_device`` copies them.
"""

from tin_lib.data.packed import pack
from tin_lib.data.subset import open_data
from tin_lib.data.types import Split, TinyImageNet

__all__ = ["Split", "TinyImageNet", "open_data", "pack"]
