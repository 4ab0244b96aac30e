"""The challenge's submission format: one line per image, ``test_N.JPEG wnid``."""

import codecs
import os
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
ARCHIVES = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
WNID = re.compile(r"n\d{8}")


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
            raise ValueError(f"{path}: {name!r} cannot be written; names must not contain blanks")
    atomic_write(path, "".join(f"{file} {wnid}\n" for file, wnid in zip(files, wnids)))


def read_submission(path: str | Path) -> pd.Series:
    """Read a submission: wnids indexed by file name, in the file's order.

    The two names may be separated by blanks, a comma or a semicolon, and may be quoted. A header
    line, comment lines (``# …``), a byte order mark (UTF-8 or UTF-16), CRLF line ends and empty
    lines are accepted, and ``path`` may be a pipe. Raises FileNotFoundError if there is no such
    path, and ValueError naming file and line if a line does not hold two names, repeats an image,
    or is not text.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; `tin submit` writes such a file")
    lines = _lines(_text(path))
    if len(lines) > 1 and _is_unknown_header(lines[0][1], lines[1][1]):
        lines = lines[1:]
    labels: dict[str, str] = {}
    for number, words, line in lines:
        if len(words) != 2:
            raise ValueError(
                f"{path}, line {number}: expected 'test_N.JPEG wnid', got {line[:80]!r}; "
                "`tin submit` writes such a file from a fit"
            )
        if words[0] in labels:
            raise ValueError(f"{path}, line {number}: {words[0]} is listed a second time")
        labels[words[0]] = words[1]
    if not labels:
        raise ValueError(f"{path} lists no image; expected lines 'test_N.JPEG wnid'")
    return pd.Series(labels, name="wnid", dtype=object).rename_axis("file")


def _lines(text: str) -> list[tuple[int, list[str], str]]:
    """Number, words and text of each line that is neither empty, a comment nor a known header."""
    lines: list[tuple[int, list[str], str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = [word.strip("\"'") for word in re.split(r"[\s,;]+", line) if word]
        comment = not words or words[0] == "#" or (words[0][0:1] == "#" and len(words) != 2)
        if not comment and (lines or not _is_header(words)):
            lines.append((number, words, line))
    return lines


def _is_header(words: list[str]) -> bool:
    first, last = words[0].lower(), words[-1].lower()
    return len(words) == 2 and first in FILE_HEADERS and last in LABEL_HEADERS


def _is_unknown_header(first: list[str], second: list[str]) -> bool:
    """Whether the first line holds two words without digits, before one that names an image."""
    numbered = [bool(re.search(r"[\d.]", words[0])) for words in (first, second)]
    return numbered == [False, True] and len(first) == 2 and not WNID.fullmatch(first[1])


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except IsADirectoryError:
        raise ValueError(f"{path} is a folder; give a file of lines 'test_N.JPEG wnid'") from None
    if kind := next((kind for start, kind in ARCHIVES.items() if data.startswith(start)), ""):
        raise ValueError(f"{path} is compressed ({kind}); unpack it first")
    advice = "save lines 'test_N.JPEG wnid' as UTF-8"
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path} is not a text file in UTF-8 (line {line}); {advice}") from None
    if "\0" in text:
        raise ValueError(f"{path} is not a text file in UTF-8; {advice}")
    return text


def vote_files(paths: Sequence[str | Path], fallback: str | Path, out: str | Path) -> pd.Series:
    """Majority vote over submissions, written to ``out`` in the order of the first file.

    If two or more labels share the most votes, the label of ``fallback`` is taken: one of
    ``paths``, or another file that only decides ties. The lines of the files may be in any order.
    Returns the labels by file name. Raises ValueError if a file is given twice, and if the files do
    not list the same images or name the classes in different ways.
    """
    if not paths:
        raise ValueError("paths: give at least one file to vote over")
    files: dict[str, str | Path] = {}  # by real path: each is read once, as it may be a pipe
    for path in paths:
        if (real := os.path.realpath(path)) in files:
            raise ValueError(f"{path} is the file {files[real]}, which votes already; give it once")
        files[real] = path
    files.setdefault(os.path.realpath(fallback), fallback)
    read = {real: read_submission(path) for real, path in files.items()}
    votes, decides = list(read.values())[: len(paths)], read[os.path.realpath(fallback)]
    for real, labels in read.items():
        _check_same_images(paths[0], votes[0], files[real], labels)
        _check_same_naming(paths[0], votes[0], files[real], labels)
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
                "vote over files of the same images, under the same names"
            )


def _check_same_naming(
    first: str | Path, expected: pd.Series, path: str | Path, labels: pd.Series
) -> None:
    """Raise ValueError, with an example, if only one of two files has wnids for labels, or if only
    one has numbers and, of ten images or more, no label is in both."""
    for here, there, given, others in (
        (path, first, labels, expected),
        (first, path, expected, labels),
    ):
        for form in (WNID.fullmatch, str.isdecimal):
            odd = given[[not form(label) for label in given]]
            few = len(given) < 10  # of ids of both forms, a few labels can differ by chance
            apart = form == WNID.fullmatch or not (few or set(given) & set(others))
            if len(odd) and apart and all(map(form, others)):
                raise ValueError(
                    f"{here} labels {odd.index[0]} as {odd.iloc[0]!r}, {there} has labels such as "
                    f"{others.iloc[0]!r}; give files that name the classes in the same way"
                )
