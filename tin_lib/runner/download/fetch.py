"""Fetching one large file over HTTP, resuming after a cut in the same or in a later process."""

import errno
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ATTEMPTS = 5  # in a row without a single new byte
PAUSE = 1.0  # seconds before the second attempt, doubled for each one after it
TIMEOUT = 30.0  # seconds without an answer
BLOCK = 1 << 18
LOCAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG)  # of the own disk
CHECK = "check the address, and open it in a browser: the network may require a login"
Progress = Callable[[int, int], None]  # called with bytes done and in all (0: not known)


def fetch(url: str, part: Path, size: int | None, progress: Progress | None) -> None:
    """Fetch ``url`` into ``part``, resuming from the bytes that it holds already.

    ``size`` is the expected number of bytes, None if unknown. Starts over if the server offers no
    ranges. Raises OSError if the server refuses, or if ATTEMPTS attempts in a row bring nothing;
    ``part`` then stays for the next call, as if the disk is full. ValueError if the server sends a
    web page or offers a file of another size.
    """
    attempt = 0
    while True:
        before = _length(part)
        try:
            if _fetch_once(url, part, size, progress):
                return
            problem: Exception = ConnectionError("the connection was cut")
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500 and error.code not in (408, 429):
                raise OSError(f"{url}: the server answers {error.code} {error.reason}") from None
            problem = error
        except (OSError, http.client.HTTPException) as error:
            if getattr(error, "errno", None) in LOCAL:  # waiting does not help
                raise OSError(
                    f"{part}: {error}; the partial download is kept: run again to resume"
                ) from None
            problem = error
        attempt = 1 if _length(part) > before else attempt + 1
        if attempt >= ATTEMPTS:
            raise OSError(f"{url}: {problem}; the partial download is kept: run again to resume")
        time.sleep(PAUSE * 2 ** (attempt - 1))


def _fetch_once(url: str, part: Path, size: int | None, progress: Progress | None) -> bool:
    """Make one request; return whether ``part`` is complete."""
    start = _length(part)
    if size is not None and start >= size:
        return True  # whether it is right is for the caller's check of its md5
    request = urllib.request.Request(url, headers={"User-Agent": "tin_lib"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and start:  # no bytes from there on
            error.close()
            return _complete_or_start_over(part, error.headers.get("Content-Range", ""))
        raise
    with response:
        resumed = _first_byte(response) == start > 0
        total, block = _total(response, start if resumed else 0), response.read(BLOCK)
        if not resumed and block.lstrip()[:1] == b"<":  # of an error, or of a network's login
            raise ValueError(
                f"{url} sends a web page, not an archive; {CHECK}; the partial download is kept"
            )
        if size is not None and total and total != size:
            other = "if it is another archive of the data set, add `--md5 none`"
            raise ValueError(f"{url} offers {total:,} bytes, expected {size:,}; {CHECK}; {other}")
        with open(part, "ab" if resumed else "wb") as file:
            while block:
                file.write(block)
                if progress:
                    progress(file.tell(), total or size or 0)
                block = response.read(BLOCK)
    return not total or _length(part) >= total


def _complete_or_start_over(part: Path, content_range: str) -> bool:
    """After 416: the file is complete if it has the server's length, else it is useless."""
    if content_range.endswith(f"/{_length(part)}"):
        return True
    part.unlink()
    return False


def _first_byte(response: http.client.HTTPResponse) -> int:
    """Position of the answer's first byte: 0 unless the server honoured the range."""
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
    return int(match[1]) if response.status == 206 and match else 0


def _total(response: http.client.HTTPResponse, start: int) -> int:
    """Bytes of the whole file, 0 if the server does not tell."""
    length = response.headers.get("Content-Length")
    return start + int(length) if length else 0


def _length(path: Path) -> int:
    return os.path.getsize(path) if path.exists() else 0
