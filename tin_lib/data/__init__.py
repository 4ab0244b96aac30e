"""Pictures on disk: download, packing and opening.

``open_data`` is what the rest of the library calls. ``layout`` finds the image files, their labels
and boxes, ``decode`` turns them into arrays, ``packed`` keeps these, ``subset`` opens them in whole
or in part, and ``resident`` copies a split to the device.
"""

from tin_lib.data.download import OFFICIAL_MD5, OFFICIAL_SIZE, OFFICIAL_URL, download
from tin_lib.data.packed import pack
from tin_lib.data.subset import open_data
from tin_lib.data.types import Split, TinyImageNet

__all__ = [
    "OFFICIAL_MD5",
    "OFFICIAL_SIZE",
    "OFFICIAL_URL",
    "Split",
    "TinyImageNet",
    "download",
    "open_data",
    "pack",
]
