"""The text files of a data set: names of classes, boxes, and labels of the validation images."""

from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path

SIZE = 64  # pixels, width and height of every packed image
Box = tuple[int, ...]  # x0, y0, x1, y1 in pixels, both ends inclusive


def read_words(path: Path) -> dict[str, str]:
    """Names of classes by their folder; none if there is no such file."""
    lines = read_text(path).splitlines() if path.is_file() else []
    pairs = (line.split("\t", 1) for line in lines if "\t" in line)
    return {folder: name.strip() for folder, name in pairs}


def read_boxes(path: Path, images: list[str]) -> dict[str, Box]:
    """Boxes of the images at these paths; none if there is no such file."""
    paths = {image.rsplit("/", 1)[1]: image for image in images}
    rows = _rows(path, columns=5) if path.is_file() else ()
    boxes = {file: _box(numbers, place) for place, (file, *numbers) in rows}
    refuse_absent(boxes, paths, path)
    return {paths[file]: box for file, box in boxes.items()}


def read_annotations(path: Path, folders: Sequence[str]) -> dict[str, tuple[int, Box]]:
    """Label (index into ``folders``) and box of each validation image, by its file."""
    code = {folder: label for label, folder in enumerate(folders)}
    found: dict[str, tuple[int, Box]] = {}
    for place, (file, folder, *numbers) in _rows(path, columns=6):
        if folder not in code:
            raise ValueError(f"{place}: class {folder} is not in wnids.txt")
        if file in found:
            raise ValueError(f"{place}: {file} is listed twice")
        found[file] = code[folder], _box(numbers, place)
    return found


def _rows(path: Path, columns: int) -> Iterator[tuple[str, list[str]]]:
    """Yield place (file and line) and fields of each line of a tab-separated file."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        place, fields = f"{path}, line {number}", line.split("\t")
        if len(fields) == columns:
            yield place, fields
        elif line.strip():
            raise ValueError(f"{place}: {len(fields)} columns, expected {columns}")


def _box(numbers: list[str], place: str) -> Box:
    try:
        x0, y0, x1, y1 = map(int, numbers)
    except ValueError:
        raise ValueError(f"{place}: the box {numbers} is not four integers") from None
    if not (0 <= x0 <= x1 < SIZE and 0 <= y0 <= y1 < SIZE):
        raise ValueError(f"{place}: the box {(x0, y0, x1, y1)} leaves the image")
    return x0, y0, x1, y1


def refuse_absent(listed: Iterable[str], files: Container[str], path: Path) -> None:
    """Raise FileNotFoundError unless every listed file is there."""
    if absent := [file for file in listed if file not in files]:
        raise FileNotFoundError(f"{path} names {absent[0]}, which is absent; unpack the data again")


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors put a mark first
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text ({error}); unpack the data again") from None
