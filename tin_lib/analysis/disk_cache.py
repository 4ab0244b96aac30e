"""A folder of results that can be computed again: a failed write is reported once, not raised."""

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

logger = logging.getLogger(__name__)


class DiskCache:
    """Where computed results are kept. Thread-safe.

    ``what``: the results, in the plural, e.g. ``saliency maps``. ``folder``: None keeps nothing.

    After the first failed write (disk full, read-only, no permission) nothing more is written:
    ``problem``, empty before, is then a sentence that explains it, and a warning is logged once.
    """

    def __init__(self, what: str, folder: Path | None) -> None:
        self.what, self.folder, self.problem = what, folder, ""
        self._lock = threading.Lock()

    @property
    def writable(self) -> bool:
        """Whether results are to be written: there is a folder, and no write has failed."""
        return self.folder is not None and not self.problem

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Write within this context; an OSError becomes ``problem``."""
        try:
            yield
        except OSError as error:
            self._report(error)

    def _report(self, error: OSError) -> None:
        with self._lock:
            first, reason = not self.problem, error.strerror or str(error)
            if first:
                self.problem = (
                    f"The {self.what} are not kept ({reason}: {self.folder}): each is computed "
                    "again when needed. Free some space or make the folder writable, then open the "
                    "browser again."
                )
        if first:
            logger.warning(self.problem)


def safe_name(name: str) -> str:
    """A name, e.g. of a layer, as a file name: other than letters, digits and ``_.-`` as ``%XX``.

    A leading dot, which would hide the file, is replaced too.
    """
    quoted = quote(name, safe="").replace("~", "%7E")
    return "%2E" + quoted[1:] if quoted.startswith(".") else quoted
