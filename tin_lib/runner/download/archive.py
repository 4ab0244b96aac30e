"""The official zip: downloaded or read from a file, checked, and unpacked atomically."""

import hashlib
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from tin_lib.data.layout import OFFICIAL as NAME
from tin_lib.files import waiting_lock
from tin_lib.runner.download.fetch import Progress, fetch

OFFICIAL_URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
OFFICIAL_MD5 = "90528d7ca1a48142e341f4ef8d21d0de"
OFFICIAL_SIZE = 248_100_043  # bytes
# What zipfile raises for a damaged, an encrypted or an exotically compressed archive.
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


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
        source: an http(s) address, or a local zip file.
        md5, size: of the zip; None to skip the check.
        progress: called with bytes fetched and in all.
        unpack_progress: called with files unpacked and in all.

    A cut download resumes, also in a later call. Raises OSError if the network or the disk fails,
    FileNotFoundError for an absent local file, ValueError if the zip is damaged, is not the data
    set, or has a member that would land outside ``folder``.
    """
    folder = Path(folder).expanduser().resolve()
    target = folder / NAME
    if (target / "wnids.txt").is_file():
        return target
    if target.exists():
        raise ValueError(f"{target} is in the way and is not the data set; move it away")
    remote = _is_address(source)
    archive = _part_name(folder, str(source)) if remote else _local_file(source)
    folder.mkdir(parents=True, exist_ok=True)
    with waiting_lock(folder / f".{NAME}.lock", ".unpack-*"):
        if (target / "wnids.txt").is_file():
            return target  # another process was faster
        if remote:
            fetch(str(source), archive, size, progress)
        _check(archive, md5, size, remove=remote)
        unpack(archive, target, unpack_progress)
        if remote:
            archive.unlink()
    return target


def _is_address(source: str | Path) -> bool:
    scheme = urlsplit(str(source)).scheme
    if "://" in str(source) and scheme not in ("http", "https"):
        raise ValueError(f"source {source}: only http and https addresses, or a local file")
    return scheme in ("http", "https")


def _part_name(folder: Path, source: str) -> Path:
    """Where the zip is kept until it is unpacked; each address has its own."""
    return folder / f".{NAME}-{hashlib.sha256(source.encode()).hexdigest()[:8]}.zip.part"


def _local_file(source: str | Path) -> Path:
    path = Path(source).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"source {path}: no such file; give a zip file or an address")
    return path


def _check(archive: Path, md5: str | None, size: int | None, remove: bool) -> None:
    """Raise ValueError unless size and md5 are as expected; a bad download is removed."""
    found, problem = archive.stat().st_size, ""
    if size is not None and found != size:
        problem = f"it has {found:,} bytes, expected {size:,}"
    elif md5 is not None:
        with open(archive, "rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        problem = "" if digest == md5.lower() else f"its md5 is {digest}, expected {md5}"
    if problem and remove:
        archive.unlink()
        raise ValueError(f"the download is damaged: {problem}; it was removed, run again")
    if problem:
        raise ValueError(f"{archive} is damaged or is another file: {problem}")


def unpack(archive: Path, target: Path, progress: Progress | None = None) -> None:
    """Unpack the data set in ``archive`` to ``target``, which must not exist, atomically.

    Raises ValueError for a damaged zip, for one that is not the data set, and for a member that is
    a link or leaves the folder; OSError for a full disk.
    """
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".unpack-", dir=target.parent) as temporary,
            zipfile.ZipFile(archive) as opened,
        ):
            whole = Path(temporary) / "whole"  # not the temporary folder, which is private
            members = _safe_members(opened, archive)
            _check_space(members, target.parent)
            for done, member in enumerate(members, 1):
                opened.extract(member, whole)
                if progress:
                    progress(done, len(members))
            _find_root(whole, archive).rename(target)
    except UNREADABLE as error:
        raise ValueError(f"{archive} is not a whole zip file ({error}); fetch it again") from None


def _safe_members(opened: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    """All members, after checking every one before the first is written."""
    for member in opened.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))
        outside = path.is_absolute() or ".." in path.parts or ":" in member.filename
        if outside or stat.S_ISLNK(member.external_attr >> 16):
            raise ValueError(
                f"{archive}: its member {member.filename!r} is a link or would land outside the "
                "folder; nothing was unpacked"
            )
    return opened.infolist()


def _check_space(members: list[zipfile.ZipInfo], folder: Path) -> None:
    needed = sum(member.file_size for member in members)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(f"{folder}: {needed:,} bytes are needed, {free:,} are free")


def _find_root(unpacked: Path, archive: Path) -> Path:
    """The folder with wnids.txt: the zip's top, or a folder at most three levels deeper."""
    for depth in range(4):
        for path in sorted(unpacked.glob("*/" * depth + "wnids.txt")):
            return path.parent
    raise ValueError(f"{archive} is not Tiny ImageNet: there is no wnids.txt in it")
