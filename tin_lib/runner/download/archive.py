"""The official zip, or another archive: downloaded or read from a file, checked and unpacked."""

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from tin_lib.data.folders import data_folders
from tin_lib.data.layout import OFFICIAL as NAME
from tin_lib.files import waiting_lock
from tin_lib.runner.download.extract import unpack
from tin_lib.runner.download.fetch import Progress, fetch

OFFICIAL_URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
OFFICIAL_MD5 = "90528d7ca1a48142e341f4ef8d21d0de"
OFFICIAL_SIZE = 248_100_043  # bytes
UNCHECKED = "download it again, or, if it is another archive of the data set, add `--md5 none`"


def download(
    folder: str | Path,
    source: str | Path = OFFICIAL_URL,
    *,
    md5: str | None = OFFICIAL_MD5,
    size: int | None = OFFICIAL_SIZE,
    progress: Progress | None = None,
    unpack_progress: Progress | None = None,
) -> Path:
    """Fetch and unpack the data set; return ``folder/tiny-imagenet-200``.

    Args:
        folder: created if necessary. A data set already there is left as it is.
        source: an http(s) address, or a local file; a zip or a tar (also gzip, bzip2 or xz).
        md5, size: of the archive; None to skip the check.
        progress: called with bytes fetched and in all.
        unpack_progress: called with files unpacked and in all.

    A cut download resumes, also in a later call. Raises OSError if the network or the disk fails,
    FileNotFoundError for an absent local file, ValueError if the archive is damaged, is not the
    data set, or has a member that would land outside ``folder``; a bad download is then removed.
    """
    if md5 is not None and not re.fullmatch(r"[\da-fA-F]{32}", md5):
        raise ValueError(f"md5 {md5}: must be 32 hex digits, or none for no check")
    if size is not None and size < 1:
        raise ValueError(f"size {size}: must be a positive number of bytes")
    expanded = os.path.expanduser(folder)
    if expanded.startswith("~"):
        raise ValueError(f"{expanded}: the home folder is not known; give the whole path")
    folder = Path(expanded).resolve()
    target = folder / NAME
    if _is_data(target):
        return target
    if target.exists():
        raise ValueError(f"{target} already exists and is not the data set; move it away")
    remote = _is_address(source)
    archive = _part_name(folder, str(source)) if remote else _local_file(source)
    if not remote:
        _check(archive, md5, size)
    folder.mkdir(parents=True, exist_ok=True)
    with waiting_lock(folder / f".{NAME}.lock", ".unpack-*"):
        if _is_data(target):
            return target  # another process was faster
        if remote:
            fetch(str(source), archive, size, progress)
        try:
            if remote:
                _check(archive, md5, size)
            unpack(archive, target, unpack_progress)
        except ValueError as error:
            if not remote:
                raise
            archive.unlink()  # else the next call would take it for a complete download
            raise ValueError(f"the download of {source} was removed: {error}") from None
        if remote:
            archive.unlink()
    return target


def _is_data(folder: Path) -> bool:
    return (folder / "wnids.txt").is_file() or data_folders(folder, 0) == [folder]


def _is_address(source: str | Path) -> bool:
    scheme = urlsplit(str(source)).scheme
    if "://" in str(source) and scheme not in ("http", "https"):
        raise ValueError(f"source {source}: only http and https addresses, or a local file")
    return scheme in ("http", "https")


def _part_name(folder: Path, source: str) -> Path:
    """Where the zip is kept until it is unpacked; each address has its own."""
    return folder / f".{NAME}-{hashlib.sha256(source.encode()).hexdigest()[:8]}.zip.part"


def _local_file(source: str | Path) -> Path:
    path = Path(os.path.expanduser(source))
    if not path.is_file():
        raise FileNotFoundError(f"source {path}: no such file; give an archive or an address")
    return path


def _check(archive: Path, md5: str | None, size: int | None) -> None:
    """Raise ValueError unless size and md5 are as expected."""
    found, problem = archive.stat().st_size, ""
    if size is not None and found != size:
        problem = f"it has {found:,} bytes, expected {size:,}"
    elif md5 is not None:
        with open(archive, "rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        problem = "" if digest == md5.lower() else f"its md5 is {digest}, expected {md5}"
    if problem:
        raise ValueError(f"{archive} is damaged or is another file: {problem}; {UNCHECKED}")
