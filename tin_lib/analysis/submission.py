"""The challenge's submission format: one line an image, ``test_N.JPEG wnid``."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tin_lib.analysis.ensemble import majority_vote, ties
from tin_lib.files import atomic_write


def write_submission(path: str | Path, files: Sequence[str], wnids: Sequence[str]) -> None:
    """Write one line an image, ``file wnid``, in the order given, whole or not at all.

    Raises ValueError where lengths differ, there is no image, or a name is empty or holds a blank,
    which a reader could not tell from the separator.
    """
    files, wnids = [str(file) for file in files], [str(wnid) for wnid in wnids]
    if len(files) != len(wnids) or not files:
        raise ValueError(f"{path}: {len(files)} files and {len(wnids)} labels; give one label each")
    for name in (*files, *wnids):
        if len(name.split()) != 1 or name.split()[0] != name:
            raise ValueError(f"{path}: {name!r} cannot be written; names must not hold blanks")
    atomic_write(path, "".join(f"{file} {wnid}\n" for file, wnid in zip(files, wnids)))


def read_submission(path: str | Path) -> pd.Series:
    """Read a submission, whoever made it: wnids indexed by file name, in the file's order.

    Between the two names may stand any blanks; a byte order mark, CRLF line ends and empty lines
    are passed over. Raises FileNotFoundError where there is no file, and ValueError naming file
    and line where a line does not hold two names, repeats an image, or is not text.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; `tin submit` writes such a file")
    labels: dict[str, str] = {}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
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


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file of lines 'test_N.JPEG wnid'") from error


def vote_files(paths: Sequence[str | Path], fallback: str | Path, out: str | Path) -> pd.Series:
    """Majority vote over submissions, written to ``out`` in the order of the first file.

    Where two or more labels share the most votes, the label of ``fallback`` is taken: one of
    ``paths``, or another file that then votes on nothing else. Lines may stand in any order.
    Returns the labels by file name. Raises ValueError where the files do not list the same images.
    """
    if not paths:
        raise ValueError("paths: give at least one file to vote over")
    votes = [read_submission(path) for path in paths]
    last = read_submission(fallback)
    for path, labels in zip((*paths, fallback), (*votes, last)):
        _check_same_images(paths[0], votes[0], path, labels)
    winner = _winner(votes, last.reindex(votes[0].index))
    write_submission(out, list(winner.index), list(winner))
    return winner


def _winner(votes: Sequence[pd.Series], fallback: pd.Series) -> pd.Series:
    """Most votes, else the fallback's label; its row decides ties without counting as a vote."""
    order = votes[0].index
    labels = np.stack([vote.reindex(order).to_numpy(str) for vote in votes])
    decided = majority_vote(labels, 0)
    return pd.Series(np.where(ties(labels), fallback.to_numpy(str), decided), order, name="wnid")


def _check_same_images(
    first: str | Path, expected: pd.Series, path: str | Path, labels: pd.Series
) -> None:
    """Raise ValueError, naming an image, unless both files list the same ones."""
    for here, there, names in (
        (path, first, labels.index.difference(expected.index)),
        (first, path, expected.index.difference(labels.index)),
    ):
        if len(names):
            raise ValueError(
                f"{here} lists {len(names)} images that {there} does not, such as {names[0]}; "
                "vote over files of the same images"
            )
