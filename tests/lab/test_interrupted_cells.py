"""What a notebook shows whose cell is interrupted: one line, and that of the user's own code."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from data_folder import write_folder
from jupyter_client.manager import start_new_kernel

INTERRUPT = "import os, signal\ndef stop(*_): os.kill(os.getpid(), signal.SIGINT)\n"
LAB = "from tin_lib.lab import figures\n"
PACK = "from tin_lib.data import pack\npack({root!r}, progress=stop)"
MEASURES = """
import sys, torch
sys.path.insert(0, {tests!r})
from tiny_data import make_tiny
from tin_lib import networks
from tin_lib.analysis import saliency
images = make_tiny()
nets = {{"alexnet": networks.create("alexnet", 4, 0.05)}}
mean, std = torch.tensor(images.mean), torch.tensor(images.std)
explained = saliency.images_to_explain(images.val, mean, std, 2)
saliency.evaluate(nets, explained, ["gradient"], progress=stop)
"""
FEATURES = """
from tin_lib.analysis import features
from tin_lib.analysis.work_report import WorkReport
WorkReport.add = stop
whole = features.Options("float32", device="cpu")
features.extract(features.open_backbone({fit!r}), images, {out!r}, options=whole)
"""


@pytest.fixture(scope="module")
def shown() -> Iterator[Callable[[str], str]]:
    """What a kernel shows as the error of a cell: its traceback."""
    manager, client = start_new_kernel()
    parts: list[dict[str, Any]] = []

    def error_of(code: str) -> str:
        parts.clear()
        client.execute_interactive(INTERRUPT + code, output_hook=parts.append, timeout=120)
        (error,) = (each["content"] for each in parts if each["msg_type"] == "error")
        return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error["traceback"]))  # without colours

    yield error_of
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.slow
def test_packing_and_measuring_stop_with_one_line(
    shown: Callable[[str], str], tmp_path: Path
) -> None:
    root = write_folder(tmp_path / "data")
    assert shown(LAB + PACK.format(root=str(root))) == "Stopped in pack; run the cell again"
    measures = MEASURES.format(tests=str(Path(__file__).parents[1]))
    assert shown(LAB + measures) == "Stopped in evaluate; run the cell again"
    whole = shown("%tb")  # for whoever debugs
    assert "KeyboardInterrupt" in whole
    assert "evaluation.py" in whole


@pytest.mark.slow
def test_features_name_what_is_done(
    shown: Callable[[str], str], trained_run: Path, tmp_path: Path
) -> None:
    load = LAB + "from tin_lib.data import open_data\n"
    load += "images = open_data('sample', classes=2, per_class=4)\n"
    fit = str(trained_run / "networks" / "vgg_like")
    line = shown(load + FEATURES.format(fit=fit, out=str(tmp_path)))
    assert line == "Stopped after 0 of 48 images; run the cell again to resume"


@pytest.mark.slow
def test_other_code_shows_its_traceback(shown: Callable[[str], str]) -> None:
    text = shown(LAB + "while True: stop()")
    assert "while True: stop()" in text
    assert "KeyboardInterrupt" in text
