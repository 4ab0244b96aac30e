"""Browsers as pages without Python: their files, and sheets of tiles.

A page opened from the file system may load scripts, but may not read the pixels of picture files.
Therefore a sheet, many tiles in one JPEG, is text in a script.
"""

import base64
import html
import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from tin_lib import files
from tin_lib.lab.figures.tiles import sheet
from tin_lib.lab.widgets.module import asset, joined

COLUMNS = 20  # tiles side by side in a sheet


def write_page(
    folder: Path, room: str, data: Mapping[str, Any], title: str, about: str, back: str
) -> Path:
    """Write the files of a page, except its sheets, and return the page.

    ``data``: what the page knows from the start. ``back``: the address of its link back.
    """
    texts = {name: html.escape(text) for name, text in (("title", title), ("about", about))}
    page = Template(asset("page.html")).substitute(texts, back=html.escape(back))
    described = json.dumps(data, separators=(",", ":"))
    files.atomic_write(folder / "data.js", f"const DATA = {described};\n")
    files.atomic_write(folder / "browser.js", page_script(room))
    for name in ("page.css", "browser.css"):
        files.atomic_write(folder / name, asset(name))
    files.atomic_write(folder / "index.html", page)
    return folder / "index.html"


def page_script(room: str) -> str:
    """Return a browser's module as the script of a page without Python."""
    parts = (joined(room), asset("sheets.js"), asset("sheets.js", room))
    return "(() => {\n" + "\n".join(parts) + "})();\n"


def write_sheet(
    path: Path,
    tiles: np.ndarray,
    quality: int = 85,
    gains: np.ndarray | None = None,
    head: str = "",
) -> None:
    """Write tiles, uint8 (N, 3, 64, 64), as a script that calls ``receive(name, gains, picture)``.

    ``quality``: of the JPEG. ``gains``: see ``sprites.pack``. ``head``: a first line of the script.
    """
    rows = [] if gains is None else [[float(f"{g:.4g}") for g in row] for row in gains]
    picture = base64.b64encode(sheet(tiles, COLUMNS, quality)).decode()
    given = ", ".join(map(json.dumps, (path.stem, rows, f"data:image/jpeg;base64,{picture}")))
    files.atomic_write(path, f"{head}receive({given});\n")
