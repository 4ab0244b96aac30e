"""What lies in the folders of a data set: class folders and images, without what systems add."""

import os
import re
from collections.abc import Container
from pathlib import Path

from PIL import Image

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # would break tables and messages
# What systems and file servers leave in folders: of no interest, as hidden files are.
SYSTEM = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r", "lost+found", "@eadir"}
SYSTEM |= {"$recycle.bin", "system volume information", "#recycle", "@recycle"}


def data_folders(folder: Path, levels: int) -> list[Path]:
    """``folder`` if train and val are in it, else the nearest folders below it that have both."""
    for depth in range(levels + 1):
        trains = [path for path in sorted(folder.glob("*/" * depth + "train")) if path.is_dir()]
        both = [path.parent for path in trains if (path.parent / "val").is_dir()]
        if found := [p for p in both if all(map(is_visible, p.relative_to(folder).parts))]:
            return found
    return []


def is_visible(name: str) -> bool:
    """Whether a file or folder of this name counts: not if it is hidden or of a system."""
    return name[0] != "." and name.lower() not in SYSTEM


def names_in(folder: Path) -> list[str]:
    """What is in a folder, if any, except hidden and system files."""
    names = [*filter(is_visible, os.listdir(folder))] if folder.is_dir() else []
    if odd := [name for name in names if UNPRINTABLE.search(name)]:
        problem = "its name contains a control character or is not UTF-8; rename it"
        raise ValueError(f"{str(folder / odd[0])!a}: {problem}")
    return names


def folders_in(folder: Path) -> list[str]:
    """Names of the folders in a folder, without one that stands in an image's place."""
    names = [name for name in sorted(names_in(folder)) if not has_image_name(name)]
    return [name for name in names if os.path.isdir(folder / name)]


def has_image_name(name: str) -> bool:
    """Whether a file's suffix is that of an image format which Pillow reads."""
    return Image.registered_extensions().get(os.path.splitext(name)[1].lower()) in Image.OPEN


def images_in(folder: Path, besides: Container[str] = ()) -> list[str]:
    """Names of the images in a folder, by the number in them: val_9 before val_10."""
    names = [name for name in names_in(folder) if name not in besides]
    if others := [name for name in names if not has_image_name(name)]:
        raise ValueError(f"{folder}/{others[0]} is not an image; move it away")
    if not names:
        raise FileNotFoundError(f"{folder} contains no images; unpack the data again or remove it")
    return sorted(names, key=by_number)


def place(root: Path, folder: str) -> str:
    """Where the images of a class folder are: in its folder ``images``, or in itself."""
    if not (root / folder / "images").is_dir():
        return folder
    beside = [name for name in names_in(root / folder) if has_image_name(name)]
    if beside:
        problem = f"is next to the folder {root / folder}/images; move it there or away"
        raise ValueError(f"{root / folder}/{beside[0]} {problem}")
    return f"{folder}/images"


def by_number(name: str) -> tuple[int, str]:
    """Sorts file names by the number in them, which carries no leading zeros."""
    return len(name), name
