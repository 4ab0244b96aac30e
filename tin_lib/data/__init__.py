"""Tiny ImageNet on disk: download, packing, opening, statistics and audit.

``open_data`` is what the rest of the library calls. The parts: ``official`` knows the official
folder layout, ``decode`` turns JPEG files into arrays, ``packed`` keeps the packed form, ``subset``
opens it in whole or in part.
"""

from tin_lib.data.download import OFFICIAL_MD5, OFFICIAL_SIZE, OFFICIAL_URL, download
from tin_lib.data.packed import pack
from tin_lib.data.stats import statistics
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
    "statistics",
]
