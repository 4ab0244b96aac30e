"""The text files of a data set: names of classes, boxes, and labels of the validation images."""

import codecs
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

SIZE = 64  # pixels, width and height of every packed image
Box = tuple[int, ...]  # x0, y0, x1, y1 in pixels, both ends inclusive


def read_words(path: Path) -> dict[str, str]:
    """Names of classes by their folder; none if there is no such file."""
    lines = read_text(path).split("\n") if path.is_file() else []
    pairs = (line.split("\t" if "\t" in line else None, 1) for line in lines)
    return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}


def read_boxes(path: Path, images: list[str]) -> dict[str, Box]:
    """Boxes of the images at these paths; none if there is no such file."""
    paths = {image.rsplit("/", 1)[1]: image for image in images}
    rows = _rows(path, columns=5) if path.is_file() else {}
    files = match(rows, paths, path)
    return {paths[files[file]]: _box(numbers, place) for file, (place, *numbers) in rows.items()}


def read_annotations(path: Path, folders: Sequence[str]) -> dict[str, tuple[int, Box]]:
    """Label (index into ``folders``) and box of each validation image, by its file; none if there
    is no such file."""
    code = {folder: label for label, folder in enumerate(folders)}
    rows = _rows(path, columns=6) if path.is_file() else {}
    for place, folder, *_ in rows.values():
        if folder not in code:
            known = "is not listed in wnids.txt, and is not a folder in train"
            raise ValueError(f"{place}: class {folder} {known}; correct the line")
    return {
        file: (code[folder], _box(numbers, place))
        for file, (place, folder, *numbers) in rows.items()
    }


def _rows(path: Path, columns: int) -> dict[str, tuple[str, ...]]:
    """Place (file and line) and other fields by the first field, a file, of each line. Fields are
    separated by tabs or, in a line without any, by blanks."""
    rows: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        place = f"{path}, line {number}"
        file, *fields = line.split("\t") if "\t" in line else line.split() or [""]
        if file in rows:
            raise ValueError(f"{place}: {file} is listed twice; remove one of the lines")
        if len(fields) == columns - 1:
            rows[file] = place, *fields
        elif line.strip():
            problem = f"{len(fields) + 1} columns, expected {columns}"
            raise ValueError(f"{place}: {problem}; correct the line or unpack the data again")
    return rows


def _box(numbers: list[str], place: str) -> Box:
    try:
        x0, y0, x1, y1 = map(int, numbers)
    except ValueError:
        raise ValueError(
            f"{place}: the box {numbers} is not four integers; correct the line"
        ) from None
    if not (0 <= x0 <= x1 < SIZE and 0 <= y0 <= y1 < SIZE):
        raise ValueError(f"{place}: the box {(x0, y0, x1, y1)} exceeds the image; correct the line")
    return x0, y0, x1, y1


def match(listed: Iterable[str], files: Collection[str], path: Path) -> dict[str, str]:
    """The file of each name listed in ``path``: of that name, or else the only one that differs in
    suffix or case. FileNotFoundError if there is none, ValueError if it is that of two names."""
    alike = defaultdict(list)
    for file in files:
        alike[_stem(file)].append(file)
    fits = {name: [name] if name in files else alike[_stem(name)] for name in listed}
    if absent := [name for name in fits if len(fits[name]) != 1]:
        raise FileNotFoundError(f"{path} names {absent[0]}, which is absent; unpack the data again")
    found = {name: file for name, (file,) in fits.items()}
    if twice := [file for file, count in Counter(found.values()).items() if count > 1]:
        raise ValueError(f"{path} lists {twice[0]} twice, spelled differently; remove one")
    return found


def _stem(file: str) -> str:
    return os.path.splitext(file)[0].lower()


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, or of UTF-16 with its mark, as Windows' PowerShell writes it."""
    data = path.read_bytes()
    wide = data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")  # some editors put a mark first
        if "\0" in text:
            raise ValueError("it contains null bytes")
    except ValueError as error:
        raise ValueError(f"{path} is not text ({error}); unpack the data again") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
