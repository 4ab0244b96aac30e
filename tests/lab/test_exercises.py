"""The exercises: how answers are marked, and that each has its text, hint, check and solution."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from tin_lib.data import TinyImageNet
from tin_lib.lab import exercises
from tin_lib.lab.exercises.marking import OPEN, mark

ROOT = Path(__file__).parents[2]
SOLUTIONS: dict[str, list[dict[str, str]]] = yaml.safe_load(
    (ROOT / "docs" / "teaching" / "solutions.yaml").read_text(encoding="utf-8")
)


def exercise_cells(name: str) -> list[dict[str, Any]]:
    """The cells of a notebook that belong to exercises."""
    notebook = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    return [c for c in notebook["cells"] if "exercise" in c["metadata"].get("tags", [])]


@pytest.mark.parametrize("answer", [3, 3.0, np.float32(3.04), torch.tensor(3.0), "3"])
def test_numbers_of_all_kinds_are_right(answer: Any) -> None:
    assert mark(answer, 3, "Look.", within=0.05) == "Right: 3."


@pytest.mark.parametrize("answer", [3.06, -3, np.inf])
def test_a_wrong_number_is_answered_by_what_to_look_at(answer: Any) -> None:
    assert mark(answer, 3, "Look at it.", within=0.05) == "Not yet. Look at it."


@pytest.mark.parametrize("answer", ["three", [3], {}, np.nan, torch.zeros(2)])
def test_what_is_no_number_is_said(answer: Any) -> None:
    assert mark(answer, 3, "Look.").startswith("Not yet. The answer must be a number")


def test_no_answer_is_one_line(tiny: TinyImageNet) -> None:
    assert exercises.black_pixel(None, tiny) == OPEN
    assert len(OPEN.splitlines()) == 1


def test_right_answers_follow_the_data(tiny: TinyImageNet) -> None:
    assert exercises.untrained_loss(np.log(tiny.num_classes), tiny).startswith("Right")
    assert exercises.black_pixel(-tiny.mean[0] / tiny.std[0], tiny).startswith("Right")
    assert exercises.black_pixel(-tiny.mean[1] / tiny.std[0] - 0.1, tiny).startswith("Not yet")


def test_notebooks_01_to_09_have_two_or_three_each() -> None:
    assert [name[:2] for name in SOLUTIONS] == [f"0{n}" for n in range(1, 10)]
    assert all(2 <= len(found) <= 3 for found in SOLUTIONS.values())
    named = [known["exercise"] for found in SOLUTIONS.values() for known in found]
    assert sorted(named) == sorted(exercises.__all__)


@pytest.mark.parametrize("name", SOLUTIONS)
def test_an_exercise_is_a_question_a_hint_an_answer_and_a_check(name: str) -> None:
    _, *cells = exercise_cells(name)
    for number, known in enumerate(SOLUTIONS[name]):
        text, answer, check = ("".join(c["source"]) for c in cells[3 * number :][:3])
        form = r"### Exercise \d\n.+\n\n<details><summary>Hint</summary>\n\n.+\n\n</details>"
        assert re.fullmatch(form, text)
        assert re.fullmatch(r"answer = None  # .+", answer)
        assert check.startswith(f"print(exercises.{known['exercise']}(answer")
        assert known["why"]
    assert len(cells) == 3 * len(SOLUTIONS[name])
