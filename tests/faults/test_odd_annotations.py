"""Lists and annotations as editors and scripts leave them: the same labels, or one message."""

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_folder import CLASSES
from odd_data import copied, refused, same

from tin_lib.data import TinyImageNet, open_data

KIND = "odd annotations"
VAL = "val/val_annotations.txt"
BOXES = f"train/{CLASSES[0]}/{CLASSES[0]}_boxes.txt"
LISTS = ("wnids.txt", "words.txt", VAL, BOXES)
BOTH = (ValueError, OSError)
Text = Callable[[str], str]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIN_CACHE", str(tmp_path_factory.mktemp("cache")))


def shuffled(text: str) -> str:
    lines = text.splitlines(keepends=True)
    random.Random(0).shuffle(lines)
    return "".join(lines)


SAME: dict[str, Callable[[str], bytes]] = {
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR alone": lambda text: text.replace("\n", "\r").encode(),
    "BOM": lambda text: text.encode("utf-8-sig"),
    "BOM and CRLF": lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
    "UTF-16, little endian": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "UTF-16, big endian": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "UTF-16 with CRLF": lambda text: text.replace("\n", "\r\n").encode("utf-16"),
    "no newline at the end": lambda text: text.rstrip("\n").encode(),
    "blank lines": lambda text: ("\n\n" + text.replace("\n", "\n\n  \n")).encode(),
    "another order": lambda text: shuffled(text).encode(),
    "blanks for tabs": lambda text: text.replace("\t", " ").encode(),
    "many blanks for tabs": lambda text: text.replace("\t", "    ").encode(),
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("path", [*LISTS, "all"])
def test_read_as_before(
    fault, official: Path, expected: TinyImageNet, tmp_path: Path, name: str, path: str
) -> None:
    with fault(KIND, f"{name}, {path}"), copied(official, tmp_path) as root:
        for one in LISTS if path == "all" else (path,):
            (root / one).write_bytes(SAME[name]((root / one).read_text()))
        same(open_data(root), expected)


def line(number: int, change: Text) -> Text:
    def edit(text: str) -> str:
        lines = text.splitlines(keepends=True)
        lines[number] = change(lines[number])
        return "".join(lines)

    return edit


def first(*replaced: Any) -> Text:
    """In the first line, what ``str.replace`` takes."""
    return line(0, lambda text: text.replace(*replaced))


def swap(text: str, one: int, other: int) -> str:
    fields = text.rstrip("\n").split("\t")
    fields[one], fields[other] = fields[other], fields[one]
    return "\t".join(fields) + "\n"


# Name, file, edit, message.
REFUSED: list[tuple[str, str, Text, str]] = [
    (
        "a column less",
        VAL,
        line(3, lambda t: t.rsplit("\t", 1)[0] + "\n"),
        "line 4: 5 columns, exp",
    ),
    ("a column more", VAL, line(3, lambda t: t[:-1] + "\t1\n"), "line 4: 7 columns, expected 6"),
    ("commas", VAL, lambda t: t.replace("\t", ","), "line 1: 1 columns, expected 6"),
    ("a header line", VAL, lambda t: "file\tclass\tx\ty\tX\tY\n" + t, "line 1: class class is not"),
    ("an index", VAL, lambda t: re.sub("(?m)^", "0\t", t), "line 1: 7 columns"),
    (
        "columns swapped",
        VAL,
        line(0, lambda t: swap(t, 0, 1)),
        "line 1: class val_0.JPEG is not listed",
    ),
    ("box columns swapped", VAL, line(0, lambda t: swap(t, 2, 4)), "line 1: the box .* exceeds"),
    ("an unknown class", VAL, line(5, lambda t: t.replace("n0", "n1")), "line 6: class n10000003"),
    ("a class by name", VAL, line(1, lambda t: t.replace(CLASSES[1], "cat")), "line 2: class cat"),
    (
        "a label for a class",
        VAL,
        line(1, lambda t: t.replace(CLASSES[1], "1")),
        "2: class 1 is not",
    ),
    ("an empty class", VAL, line(1, lambda t: t.replace(CLASSES[1], "")), "line 2: class  is not"),
    ("a line twice", VAL, line(2, lambda t: t + t), "line 4: val_2.JPEG is listed twice; remove"),
    ("two labels", VAL, lambda t: t + f"val_2.JPEG\t{CLASSES[0]}\t0\t0\t1\t1\n", "line 7: val_2"),
    ("two spellings", VAL, lambda t: t + f"VAL_2.jpg\t{CLASSES[0]}\t0\t0\t1\t1\n", "lists val_2.J"),
    ("a line less", VAL, line(4, lambda _: ""), "no line for .*val_4.JPEG; add it or move the"),
    ("empty", VAL, lambda _: "", "has no line for .*val_0.JPEG; add it"),
    ("cut", VAL, lambda t: t[: len(t) // 2 - 3], "columns, expected 6|no line for"),
    ("an absent image", VAL, first("val_0", "val_9"), "names val_9.JPEG"),
    ("a path", VAL, line(0, lambda t: "images/" + t), "names images/val_0.JPEG, which is absent"),
    ("box too large", VAL, first("62", "64"), "line 1: the box .* exceeds the"),
    ("box below zero", VAL, first("\t0", "\t-1", 1), "line 1: the box .* exceeds"),
    ("box of words", VAL, first("62", "x"), "line 1: .* not four integers"),
    ("box of floats", VAL, first("62", "62.5"), "line 1: .* not four integers"),
    ("box of NaN", VAL, first("62", "nan"), "line 1: .* not four integers"),
    ("huge box", VAL, first("62", "9" * 30), "line 1: the box .* exceeds the"),
    ("absurd box", VAL, first("62", "9" * 5000), "line 1: .* not four integers"),
    ("UTF-16 without mark", VAL, lambda t: t.encode("utf-16-le").decode("latin1"), "is not text"),
    ("a box twice", BOXES, line(1, lambda t: t + t), "line 3: n00000001_1.JPEG is listed twice"),
    ("a box of another class", BOXES, first("n00000001", "n00000002"), "absent"),
    ("box columns", BOXES, first("\t", "\tx\t", 1), "line 1: 6 columns, exp"),
    ("box out of range", BOXES, first("40", "400"), "line 1: the box .* exceeds"),
    ("a class twice", "wnids.txt", lambda t: t + CLASSES[0], "lists class n00000001 twice"),
    ("a class more", "wnids.txt", lambda t: t + "n00000009", "no line for class n00000009 of"),
    (
        "classes by commas",
        "wnids.txt",
        lambda t: t.replace("\n", ","),
        "no line for class n00000003,n00000002",
    ),
    ("no class", "wnids.txt", lambda _: "\n", "wnids.txt is empty; it must name the classes"),
    (
        "a class without name",
        "words.txt",
        lambda t: t.replace(CLASSES[1], "n7"),
        "no line for class",
    ),
]


@pytest.mark.parametrize(
    ("name", "path", "edit", "message"), REFUSED, ids=[f"{row[0]}" for row in REFUSED]
)
def test_refused_by_line(fault, official: Path, tmp_path: Path, name, path, edit, message) -> None:
    with fault(KIND, f"{name}, {path}"), copied(official, tmp_path) as root:
        text = edit((root / path).read_text())
        (root / path).write_bytes(text.encode("latin1"))
        assert str(root / path) in refused(root, message, BOTH)


@pytest.mark.parametrize("path", LISTS)
def test_no_text(fault, official: Path, tmp_path: Path, path: str) -> None:
    for data in (
        b"\x89PNG\r\n\x1a\n",
        b"PK\x03\x04\x00\xff",
        bytes(100),
        b"\xff\xfe\x00",
        b"\xe9\n",
    ):
        with fault(KIND, f"{data[:4]!r} as {path}"), copied(official, tmp_path) as root:
            (root / path).write_bytes(data)
            assert str(root / path) in refused(root, "is not text", ValueError)
    with fault(KIND, f"folder as {path}"), copied(official, tmp_path) as root:
        (root / path).unlink()
        (root / path).mkdir()
        told = open_or_message(root)
        assert told == "opened" or "\n" not in told


def open_or_message(root: Path) -> str:
    try:
        open_data(root)
    except (ValueError, OSError) as error:
        return str(error)
    return "opened"


def test_own_classes_with_blanks(fault, official: Path, tmp_path: Path) -> None:
    with fault(KIND, "classes with blanks"), copied(official, tmp_path) as root:
        for path in LISTS[:3]:
            (root / path).write_text((root / path).read_text().replace(CLASSES[0], "a b, c"))
        (root / BOXES).rename(root / "train" / CLASSES[0] / "a b, c_boxes.txt")
        (root / "train" / CLASSES[0]).rename(root / "train" / "a b, c")
        data = open_data(root)
        assert data.class_ids == ("a_b,_c", *CLASSES[1:])
        np.testing.assert_array_equal(data.val.labels, [0, 1, 2] * 2)
        assert (data.train.boxes >= 0).all()
