"""Layer-wise pre-training: the figure over all stages and the closing sentences."""

from types import SimpleNamespace
from typing import Any

import pandas as pd

from tin_lib.lab.conclusions import layerwise as conclusions
from tin_lib.lab.figures import layerwise as figures

KINDS = {"plain": None, "regularised": None}
LEARNING = [("conv1",), ("conv1", "conv2"), ("conv1", "conv2", "dense1")]


def past(accuracy: float, epochs: int = 2) -> Any:
    """A fit of which only the history is read."""
    columns = {f"{part}_{what}": accuracy for part in ("train", "val") for what in FIGURES}
    return SimpleNamespace(history=lambda: pd.DataFrame({"epoch": range(1, epochs + 1)} | columns))


FIGURES = ("accuracy", "loss")


def chains() -> dict[Any, Any]:
    """Two seeds of each kind, in three stages and from scratch; one seed diverged at once."""
    empty = SimpleNamespace(history=pd.DataFrame)
    found: dict[Any, Any] = {}
    for kind in KINDS:
        for seed in (0, 1):
            stages = [past(0.1), past(0.2 + 0.1 * seed), past(0.4)]
            found[conclusions.arm(conclusions.LAYERWISE, kind), seed] = stages
            found[conclusions.arm(conclusions.SCRATCH, kind), seed] = [past(0.5, 6)]
    found[conclusions.arm(conclusions.LAYERWISE, "plain"), 2] = [empty]
    return found


def test_one_curve_over_all_stages_with_their_borders() -> None:
    figure = figures.over_stages(chains(), LEARNING, conclusions.columns(KINDS))
    shown = [trace for trace in figure.data if trace.name == "layer-wise, plain"]
    accuracy = next(trace for trace in shown if trace.showlegend)
    assert list(accuracy.x) == [1, 2, 3, 4, 5, 6]
    assert [round(value, 6) for value in accuracy.y] == [0.1, 0.1, 0.25, 0.25, 0.4, 0.4]
    borders = {shape.x0 for shape in figure.layout.shapes}
    assert borders == {2.5, 4.5}
    labels = [note.text for note in figure.layout.annotations]
    assert [labels.count(text) for text in ("conv1", "conv2", "dense1", "plain")] == [2, 2, 2, 1]
    in_legend = [trace.name for trace in figure.data if trace.showlegend]
    assert sorted(in_legend) == sorted(conclusions.columns(KINDS))


def test_arms_that_diverged_at_once_leave_no_line() -> None:
    empty = SimpleNamespace(history=pd.DataFrame)
    arm = conclusions.arm(conclusions.LAYERWISE, "plain")
    figure = figures.over_stages({(arm, 0): [empty]}, LEARNING, conclusions.columns(KINDS))
    assert not figure.data


def compared(outcome: str) -> pd.DataFrame:
    """A row of each arm, as of ``arms.compare``."""
    row = {"seeds": 3, "paired": 3, "diverged": 0, "val_accuracy": 0.25, "val_std": 0.01}
    tested = {"difference": -0.2, "low": -0.3, "high": -0.1, "p_adjusted": 0.004}
    rows = []
    for arm, partner in conclusions.partners({"plain": None}).items():
        rows.append(row | {"arm": arm, "against": partner, "outcome": outcome} | tested)
        rows.append(row | {"arm": partner, "against": "", "outcome": ""})
    return pd.DataFrame(rows)


def by_stage(*accuracies: float) -> pd.DataFrame:
    arm = conclusions.arm(conclusions.LAYERWISE, "plain")
    rows = [
        {"arm": arm, "stage": stage, "val_accuracy": value, "seconds": 2.0}
        for stage, value in enumerate(accuracies, 1)
    ]
    return pd.DataFrame(rows)


def test_closing_text_for_each_outcome() -> None:
    seconds = pd.DataFrame({"arm": ["from scratch, plain"], "seconds": [5.0]})
    for outcome, word in (("yes", "Yes"), ("no", "No"), ("undecided", "Undecided")):
        text = conclusions.layerwise(compared(outcome), by_stage(0.1, 0.25), seconds)
        claim = "layer-wise pre-training (plain) gives a more accurate network than the same number"
        assert f"**{word}**: {claim}" in text
        assert "-20.0 points, 95 % interval -30.0 to -10.0, 3 seeds, adjusted p = 0.004" in text
        assert "layer-wise, plain: 25.0 % ± 1.0 points" in text
        assert "layer-wise, plain 4.0 s and from scratch, plain 5.0 s" in text
        assert "3.8 % with layer-wise pre-training and 13.1 %" in text


def test_the_best_stage_is_named_if_it_is_not_the_last() -> None:
    falling = conclusions.by_stage(by_stage(0.1, 0.3, 0.2))
    assert "10.0 % after the first stage, 20.0 % after the last, the highest (30.0 %)" in falling
    assert "the highest" not in conclusions.by_stage(by_stage(0.1, 0.2, 0.3))
    assert "30.0 % after the last" in conclusions.by_stage(by_stage(0.3))
