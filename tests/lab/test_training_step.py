"""Notebook 02's training loop, written out: it is what the library does."""

import json
from pathlib import Path
from typing import Any

import pytest

from tin_lib.data import TinyImageNet
from tin_lib.lab import network_study
from tin_lib.recipes import Recipe

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "02_convnet9.ipynb"


def written_out(data: TinyImageNet, skip: str = "nothing") -> dict[str, Any]:
    """Run the notebook's imports and its loop on ``data`` without the lines that hold ``skip``."""
    cells = {c["id"]: "".join(c["source"]) for c in json.loads(NOTEBOOK.read_text())["cells"]}
    imports, _, _ = cells["cell-03"].partition("images = ")
    names: dict[str, Any] = {}
    exec(imports, names)
    names |= {"open_data": lambda *_, **__: data, "data": "", "classes": None}
    names["chosen"] = Recipe("convnet9", 1, 0.1, width=0.125)
    exec(cells["cell-step-start"], names)
    loop = cells["cell-step-loop"].splitlines()
    exec("\n".join(line for line in loop if skip not in line), names)
    return names


def test_its_losses_are_those_of_the_librarys_step(tiny: TinyImageNet) -> None:
    names = written_out(tiny)
    assert len(names["losses"]) == 3
    text = network_study.same_steps(names["losses"], names["trainer"])
    assert text.endswith(": the same.")


@pytest.mark.parametrize("skip", ["optimizer.step", "zero_grad"])
def test_a_loop_without_one_of_its_lines_is_told_apart(tiny: TinyImageNet, skip: str) -> None:
    names = written_out(tiny, skip)
    text = network_study.same_steps(names["losses"], names["trainer"])
    assert text.endswith("**not the same**.")
