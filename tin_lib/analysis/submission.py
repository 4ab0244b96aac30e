"""The challenge's submission format: one line per image, ``test_N.JPEG wnid``."""

import codecs
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tin_lib.analysis.ensemble import majority_vote, ties
from tin_lib.files import atomic_write

# What the two columns are called where the first line is a header.
FILE_HEADERS = {"file", "filename", "file_name", "image", "image_id", "id", "name", "path"}
LABEL_HEADERS = {"label", "labels", "class", "category", "wnid", "predicted", "prediction"}


def write_submission(path: str | Path, files: Sequence[str], wnids: Sequence[str]) -> None:
    """Write one line ``file wnid`` per image, in the given order, atomically.

    Raises ValueError if the lengths differ, there is no image, or a name is empty or contains a
    blank, which a reader could not tell from the separator.
    """
    files, wnids = [str(file) for file in files], [str(wnid) for wnid in wnids]
    if len(files) != len(wnids) or not files:
        raise ValueError(f"{path}: {len(files)} files and {len(wnids)} labels; give one label each")
    for name in (*files, *wnids):
        if len(name.split()) != 1 or name.split()[0] != name:
            raise ValueError(f"{path}: {name!r} cannot be written; names must not hold blanks")
    atomic_write(path, "".join(f"{file} {wnid}\n" for file, wnid in zip(files, wnids)))


def read_submission(path: str | Path) -> pd.Series:
    """Read a submission: wnids indexed by file name, in the file's order.

    The two names may be separated by blanks, a comma or a semicolon, and may be quoted. A header
    line, a byte order mark (UTF-8 or UTF-16), CRLF line ends and empty lines are accepted, and
    ``path`` may be a pipe. Raises FileNotFoundError if there is no such path, and ValueError naming
    file and line if a line does not hold two names, repeats an image, or is not text.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; `tin submit` writes such a file")
    labels: dict[str, str] = {}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        words = [word.strip("\"'") for word in re.split(r"[\s,;]+", line) if word]
        if not words or (not labels and _is_header(words)):
            continue
        if len(words) != 2:
            raise ValueError(
                f"{path}, line {number}: expected 'test_N.JPEG wnid', got {line[:80]!r}"
            )
        if words[0] in labels:
            raise ValueError(f"{path}, line {number}: {words[0]} is listed a second time")
        labels[words[0]] = words[1]
    if not labels:
        raise ValueError(f"{path} lists no image; expected lines 'test_N.JPEG wnid'")
    return pd.Series(labels, name="wnid", dtype=object).rename_axis("file")


def _is_header(words: list[str]) -> bool:
    first, last = words[0].lower(), words[-1].lower()
    return len(words) == 2 and first in FILE_HEADERS and last in LABEL_HEADERS


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except IsADirectoryError:
        raise ValueError(f"{path} is a folder; give a file of lines 'test_N.JPEG wnid'") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file of lines 'test_N.JPEG wnid'") from None


def vote_files(paths: Sequence[str | Path], fallback: str | Path, out: str | Path) -> pd.Series:
    """Majority vote over submissions, written to ``out`` in the order of the first file.

    If two or more labels share the most votes, the label of ``fallback`` is taken: one of
    ``paths``, or another file that only decides ties. The lines of the files may be in any order.
    Returns the labels by file name. Raises ValueError if the files do not list the same images.
    """
    if not paths:
        raise ValueError("paths: give at least one file to vote over")
    names = dict.fromkeys(map(str, (*paths, fallback)))  # each is read once: it may be a pipe
    read = {name: read_submission(name) for name in names}
    votes, decides = [read[str(path)] for path in paths], read[str(fallback)]
    for path, labels in read.items():
        _check_same_images(paths[0], votes[0], path, labels)
    winner = _winner(votes, decides.reindex(votes[0].index))
    write_submission(out, list(winner.index), list(winner))
    return winner


def _winner(votes: Sequence[pd.Series], fallback: pd.Series) -> pd.Series:
    """Most votes, or for a tie the fallback's label, which does not count as a vote."""
    order = votes[0].index
    labels = np.stack([vote.reindex(order).to_numpy(str) for vote in votes])
    decided = majority_vote(labels, 0)
    return pd.Series(np.where(ties(labels), fallback.to_numpy(str), decided), order, name="wnid")


def _check_same_images(
    first: str | Path, expected: pd.Series, path: str | Path, labels: pd.Series
) -> None:
    """Raise ValueError, naming an image, unless both files list the same images."""
    for here, there, names in (
        (path, first, labels.index.difference(expected.index)),
        (first, path, expected.index.difference(labels.index)),
    ):
        if len(names):
            raise ValueError(
                f"{here} lists {len(names)} images that {there} does not, such as {names[0]}; "
                "vote over files of the same images"
            )
