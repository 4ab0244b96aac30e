"""A notebook with the three browsers, run by papermill and nbconvert: its outputs are complete."""

import base64
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from tin_lib.analysis import runs
from tin_lib.lab.widgets.confusion.cells import Cells

pytestmark = pytest.mark.slow

VIEW = {"network": "vgg_like", "layer": "conv4", "filter": 5, "images": 40, "steps": 2}
COMMANDS = {
    "papermill": ["papermill", "{source}", "{target}"],
    "nbconvert": [
        "jupyter",
        "nbconvert",
        "--execute",
        "--to=notebook",
        "{source}",
        "--output={target}",
    ],
}


@pytest.fixture(scope="module")
def source(run: runs.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = "".join(f", {name}={value!r}" for name, value in VIEW.items())
    cells = [
        "from tin_lib.lab.widgets import ConfusionBrowser, FilterBrowser, SaliencyBrowser",
        f"SaliencyBrowser({str(run.path)!r})",
        f"FilterBrowser({str(run.path)!r}{given})",
        f"ConfusionBrowser({str(run.path)!r})",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    path = tmp_path_factory.mktemp("notebook") / "source.ipynb"
    nbformat.write(notebook, path)
    return path


@pytest.mark.parametrize("tool", COMMANDS)
def test_outputs_are_complete(tool: str, source: Path, run: runs.Run, tmp_path: Path) -> None:
    target = tmp_path / "target.ipynb"
    command = [part.format(source=source, target=target) for part in COMMANDS[tool]]
    environment = {name: value for name, value in os.environ.items() if name != "TIN_BATCH"}
    done = subprocess.run(
        [sys.executable, "-m", *command], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    cells = json.loads(target.read_text())["cells"]
    saliency, filters, confusion = ([o["data"] for o in c["outputs"]] for c in cells[1:])
    assert (
        "".join(saliency[-1]["text/html"]).count("<img") == 2 + 2 * 4
    )  # the image, and two networks' maps
    check_filter(
        "".join(filters[-1]["text/html"]),
        next(run.path.glob("filters/**/conv4/fourier-2/0005.png")),
    )
    matrix, images = confusion
    assert "application/vnd.plotly.v1+json" in matrix
    cells = Cells(run)
    groups = cells.groups(cells.worst(next(iter(run.fits))))
    assert "".join(images["text/html"]).count("<img") == sum(len(rows) for _, rows in groups) > 0
    assert "FigureModel" not in target.read_text()  # of a FigureWidget


def check_filter(html: str, kept: Path) -> None:
    """The first picture is the maximising image, which the notebook kept on disk."""
    first = html.split("data:image/png;base64,")[1].split('"')[0]
    shown = np.array(Image.open(io.BytesIO(base64.b64decode(first))))
    assert (shown == np.array(Image.open(kept))).all()
    assert (
        html.count("<img") == 1 + 6 + 6
    )  # and the patches and images with the highest activations
