"""Tiny ImageNet on disk: download, packing, opening, statistics and audit."""

from tin_lib.data.packed import cache_folder, pack
from tin_lib.data.stats import statistics
from tin_lib.data.subset import open_data
from tin_lib.data.types import Split, TinyImageNet

__all__ = ["Split", "TinyImageNet", "cache_folder", "open_data", "pack", "statistics"]
