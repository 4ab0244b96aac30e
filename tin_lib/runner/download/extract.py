"""Unpacking an archive of the data set, zip or tar: each member is checked before it is written."""

import bz2
import errno
import functools
import gzip
import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from tin_lib.data.folders import data_folders, is_visible

LEVELS = 3  # folders that may lie around the data set in the archive
MAX_BYTES = 4 << 30  # unpacked; the official zip has 0.3 GB of files, the same as PNG 1 GB
MAX_HEADER = 1 << 20  # bytes that a tar's header may make the reader hold
Progress = Callable[[int, int], None]  # called with files unpacked and in all (0: not known)
# What the readers raise for a damaged archive.
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)
ELSEWHERE = "unpack it with another program and give that folder as the data"
COMPRESSED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}


@dataclass(frozen=True)
class Member:
    """One file or folder in an archive."""

    name: str
    size: int  # bytes, unpacked
    kind: str  # "file", "folder" or "other": a link or a device
    open: Callable[[], Any]


def unpack(archive: Path, target: Path, progress: Progress | None = None) -> None:
    """Unpack the data set in ``archive`` to ``target``, which must not exist, atomically.

    ValueError, with nothing unpacked, for a file that is no zip or tar, a damaged one, one without
    the data set, a member that is a link or would be written outside the folder, and more than
    MAX_BYTES. OSError for a full disk.
    """
    try:
        with ExitStack() as stack:
            # The temporary folder itself is private: the data set is a folder in it.
            new = tempfile.TemporaryDirectory(prefix=".unpack-", dir=target.parent)
            whole = Path(stack.enter_context(new)) / "whole"
            whole.mkdir()
            members, total = _members(stack, archive)
            _extract(members, total, whole, archive, progress)
            _find_root(whole, archive).rename(target)
    except DAMAGED as error:
        raise ValueError(f"{archive} is damaged ({error}); download it again") from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # a damaged directory that points before the file's start
            raise
        raise ValueError(f"{archive} is damaged; download it again") from None
    except (NotImplementedError, RuntimeError) as error:  # an unusual compression, or encrypted
        raise ValueError(f"{archive} cannot be unpacked here ({error}); {ELSEWHERE}") from None


def _members(stack: ExitStack, archive: Path) -> tuple[Iterator[Member], int]:
    """The members, and how many there are (0: not known), of an archive opened in ``stack``."""
    if not zipfile.is_zipfile(archive):
        return _tar_members(stack.enter_context(_open_tar(archive, stack)), archive), 0
    opened = stack.enter_context(zipfile.ZipFile(archive))
    infos = opened.infolist()
    _check_size(sum(info.file_size for info in infos), archive)
    return (_zip_member(opened, info) for info in infos), len(infos)


def _zip_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    mode = stat.S_IFMT(info.external_attr >> 16)
    kind = "folder" if info.filename[-1:] in ("/", "\\") else "file"
    kind = kind if mode in (0, stat.S_IFREG, stat.S_IFDIR) else "other"
    return Member(info.filename, info.file_size, kind, functools.partial(opened.open, info))


def _open_tar(archive: Path, stack: ExitStack) -> tarfile.TarFile:
    with open(archive, "rb") as file:
        start = file.read(8)
    opener = next((o for magic, o in COMPRESSED.items() if start.startswith(magic)), Path.open)
    raw = stack.enter_context(opener(archive, "rb"))
    try:
        return tarfile.TarFile(fileobj=_Bounded(raw, archive))  # type: ignore[arg-type]
    except tarfile.ReadError:
        found = f"neither a zip nor a tar archive, or is damaged; download it again, or {ELSEWHERE}"
        if start.startswith(b"PK"):
            found = "not a whole zip file; download it again"
        elif start.lstrip().startswith(b"<"):
            found = "a web page, not an archive; fetch it from another address"
        raise ValueError(f"{archive} is {found}") from None


def _tar_members(opened: tarfile.TarFile, archive: Path) -> Iterator[Member]:
    while info := opened.next():
        kind = "file" if info.isreg() else "folder" if info.isdir() else "other"
        yield Member(info.name, info.size, kind, functools.partial(opened.extractfile, info))
        opened.members = []  # type: ignore[attr-defined]  # it would keep them all
    file: Any = opened.fileobj
    file.seek(opened.offset)
    if len(file.read(tarfile.BLOCKSIZE)) < tarfile.BLOCKSIZE:  # a block of zeros ends a whole one
        raise ValueError(f"{archive} is truncated; download it again")
    while file.read(MAX_HEADER):  # to the end, where gzip and xz have their checksums
        pass


class _Bounded:
    """A file for tarfile that ends the work before a bomb is unpacked or held in memory."""

    def __init__(self, file: IO[bytes], archive: Path):
        self.file, self.archive = file, archive
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        if size > MAX_HEADER:
            raise ValueError(f"{self.archive} has a header of {size:,} bytes; nothing was unpacked")
        _check_size(self.tell(), self.archive)
        return self._of_contents(self.file.read, size)

    def seek(self, position: int) -> int:
        _check_size(position, self.archive)
        return self._of_contents(self.file.seek, position)

    def _of_contents(self, call: Callable[[int], Any], number: int) -> Any:
        try:
            return call(number)
        except OSError as error:
            if error.errno is None:  # bz2 and gzip: of the contents, not of the disk
                raise tarfile.ReadError(str(error)) from None
            raise


def _extract(
    members: Iterator[Member], total: int, whole: Path, archive: Path, progress: Progress | None
) -> None:
    """Write all members, except those of other systems such as ``__MACOSX``, below ``whole``."""
    free, used = shutil.disk_usage(whole).free, 0
    for done, member in enumerate(members, 1):
        path = _safe_path(member, archive)
        used += member.size
        _check_size(used, archive)
        if used > free:
            raise OSError(f"{whole.parent.parent}: {used:,} bytes are needed, {free:,} are free")
        if all(map(is_visible, path.parts)):
            _write(member, whole / path, archive)
        if progress:
            progress(done, total)


def _safe_path(member: Member, archive: Path) -> PurePosixPath:
    """Where the member belongs below the folder; Windows writes ``\\`` between the parts."""
    path = PurePosixPath(member.name.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or ":" in member.name
    if outside or member.kind == "other":
        raise ValueError(
            f"{archive}: its member {member.name!r} is a link or would be written outside the "
            "folder; nothing was unpacked"
        )
    return path


def _check_size(size: int, archive: Path) -> None:
    if size > MAX_BYTES:
        raise ValueError(
            f"{archive} would unpack to {size:,} bytes or more, Tiny ImageNet has 300,000,000; "
            f"nothing was unpacked; if it is right, {ELSEWHERE}"
        )


def _write(member: Member, path: Path, archive: Path) -> None:
    if member.kind == "folder":
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with member.open() as source, open(path, "xb") as file:
            shutil.copyfileobj(source, file)
            written = file.tell()
    except FileExistsError:
        raise ValueError(f"{archive} has member {member.name!r} twice; {ELSEWHERE}") from None
    if written != member.size:
        raise ValueError(f"{archive} is truncated in {member.name!r}; download it again")


def _find_root(unpacked: Path, archive: Path) -> Path:
    """The folder with train and val: the archive's top, or a folder at most LEVELS deeper."""
    found = data_folders(unpacked, LEVELS)
    if len(found) == 1:
        return found[0]
    if not found:
        raise ValueError(f"{archive} is not Tiny ImageNet: no folder in it has train and val")
    names = " and ".join(str(path.relative_to(unpacked)) for path in found)
    raise ValueError(
        f"{archive} contains several data sets, {names}; unpack it and give one folder"
    )
