"""The official zip of Tiny ImageNet: ``download`` fetches, checks and unpacks it."""

from tin_lib.runner.download.archive import OFFICIAL_MD5, OFFICIAL_SIZE, OFFICIAL_URL, download

__all__ = ["OFFICIAL_MD5", "OFFICIAL_SIZE", "OFFICIAL_URL", "download"]
