"""Errors of a failed write, in one form whichever library wrote."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, a quota, a limit of the process
# What safetensors, NumPy and torch raise for a full disk has no errno.
_FULL_TEXTS = ("(os error 28)", " requested and ", "PytorchStreamWriter", "inline_container")


@contextlib.contextmanager
def naming(target: Path) -> Iterator[None]:
    """Raise a failed write of ``target`` as an OSError that names it and says what to do."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        number, text = getattr(error, "errno", None), str(error)
        if number == errno.EROFS:
            why = "the file system is read-only; choose another folder"
        elif number in _FULL or any(part in text for part in _FULL_TEXTS):
            why = "no space is left; free some space and run again"
        else:
            raise
        raise OSError(f"{target} was not written: {why}") from error
