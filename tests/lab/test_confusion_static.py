"""The confusion browser's page without Python: which images it has, and what it says of them.

tests/browser opens it in a real browser.
"""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tin_lib.analysis import ensemble, runs
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets import write_static_confusion
from tin_lib.lab.widgets.confusion import static
from tin_lib.lab.widgets.confusion.cells import Cells
from tin_lib.lab.widgets.pages import COLUMNS

LIMIT = 30


@pytest.fixture(scope="module")
def page(run: runs.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    return write_static_confusion(run, run.data(), folder, LIMIT, back="../up.html")


def described(page: Path) -> dict[str, Any]:
    return json.loads(page.with_name("data.js").read_text().removeprefix("const DATA = ")[:-2])


def sheet_of(page: Path) -> np.ndarray:
    """The picture that the sheet's script hands over, uint8 (H, W, 3)."""
    found = re.fullmatch(r"receive\((.*)\);\n", page.with_name("images.js").read_text())
    assert found
    name, gains, address = json.loads(f"[{found[1]}]")
    assert (name, gains) == ("images", [])
    content = base64.b64decode(address.removeprefix("data:image/jpeg;base64,"))
    return np.array(Image.open(io.BytesIO(content)))


def test_the_sheet_has_the_described_images(page: Path, data: TinyImageNet) -> None:
    pixels, found = sheet_of(page), described(page)
    assert len(found["files"]) == len(set(found["files"])) == LIMIT
    for at, file in enumerate(found["files"]):
        y, x = (64 * place for place in divmod(at, COLUMNS))
        shown = pixels[y : y + 64, x : x + 64].transpose(2, 0, 1).astype(float)
        image = data.val.images[list(data.val.files).index(file)]
        assert np.abs(shown - image).mean() < 255 * 0.03, file


def test_all_counts_and_the_images_predictions(page: Path, run: runs.Run) -> None:
    found, cells = described(page), Cells(run)
    ids = [each["id"] for each in found["classes"]]
    for name, table in ensemble.with_votes(run).items():
        network, rows = found["networks"][name], table.set_index("file").loc[found["files"]]
        assert network["counts"] == cells.describe()["networks"][name]["counts"]
        assert [ids[at] for at in found["labels"]] == list(rows.label)
        assert [ids[at] for at in network["predicted"]] == list(rows.predicted)
        assert network["probability"] == pytest.approx(list(rows.probability), abs=1e-4)
    total = len(run.fits["convnet9"].predictions("val"))
    assert f"This copy has {LIMIT} of {total} images" in found["note"]


def test_the_most_frequent_errors_come_first_and_share_the_images(run: runs.Run) -> None:
    cells = Cells(run)
    chosen = set(static.chosen_rows(cells, LIMIT).tolist())
    first = static.frequent(cells)[: LIMIT // static.SHARE]
    assert {cell.network for cell in first} == {"convnet9", "vgg_like", "soft vote"}
    for cell in first:
        rows = cells.behind(cell).row.tolist()
        assert rows[0] in chosen  # its most confident image
        for correct in static.both(cell):
            held = [row in chosen for row in cells.behind(correct).row]
            assert any(held) or not held


@pytest.mark.parametrize("limit", [1, 7, 10_000])
def test_limits(run: runs.Run, limit: int) -> None:
    cells = Cells(run)
    rows = static.chosen_rows(cells, limit)
    total = len(cells.tables["convnet9"])
    assert len(rows) == len(set(rows.tolist())) == min(limit, total)
    with pytest.raises(ValueError, match="limit=0: at least one image"):
        static.chosen_rows(cells, 0)


def test_the_page_is_complete_and_links_back(page: Path) -> None:
    text = page.read_text()
    assert 'href="../up.html"' in text
    for name in re.findall(r'(?:src|href)="([\w.]+\.(?:js|css))"', text):
        assert page.with_name(name).is_file()
    assert "export default" not in page.with_name("browser.js").read_text()
