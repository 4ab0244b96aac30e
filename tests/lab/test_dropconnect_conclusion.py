"""Notebook 14's arms, partners, verdicts and text."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from tin_lib import networks
from tin_lib.lab.conclusions import dropconnect
from tin_lib.lab.conclusions.dropconnect import DROPCONNECT, DROPOUT, MEAN, NONE

NAN = float("nan")
METHODS = [(NONE, 0.0), (DROPOUT, 0.25), (DROPOUT, 0.5), (DROPCONNECT, 0.25), (DROPCONNECT, 0.5)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """The arms of two networks, as the notebook makes them."""
    fits: dict[Any, Any] = {}
    for network in ("convnet9", "vgg_like"):
        for method, rate in METHODS:
            options = dropconnect.options(method, rate)
            recipe = {"network": network, "network_options": options}
            for seed in range(2):
                fits[f"{network} {method} {rate:g}", seed] = SimpleNamespace(recipe=recipe)
    return dropconnect.arm_table(fits)


def compared(table: pd.DataFrame, outcomes: list[str], method: str = DROPOUT) -> pd.DataFrame:
    """A table of comparisons whose arms with DropConnect have these outcomes ("": not tested)."""
    others = dropconnect.partners(table, method)
    rows: list[dict[str, Any]] = [{"arm": a, "paired": 0, "against": ""} for a in others.values()]
    for (arm, other), outcome in zip(others.items(), outcomes, strict=True):
        row = {"arm": arm, "paired": 3, "against": other, "outcome": outcome or "undecided"}
        size = NAN if not outcome else {"yes": 0.04, "no": -0.04, "undecided": 0.0}[outcome]
        row |= {"difference": size, "low": size - 0.02, "high": size + 0.02}
        rows.append(row | {"p_adjusted": 0.5 if outcome == "undecided" else 0.01 + 0 * size})
    return pd.DataFrame(rows)


def test_arms_are_described_by_their_recipes(table: pd.DataFrame) -> None:
    assert len(table) == 10
    assert list(zip(table["method"], table["rate"]))[:5] == METHODS


@pytest.mark.parametrize("rate", [0.0, 0.96, -0.5])
def test_rates_that_are_none_or_cannot_be_matched_are_refused(rate: float) -> None:
    for method in (DROPOUT, DROPCONNECT):
        with pytest.raises(ValueError, match="rates must be above 0"):
            dropconnect.options(method, rate)


@pytest.mark.parametrize("name", ["convnet9", "vgg_like"])
def test_options_drop_in_dense_1_alone_at_the_rate(name: str) -> None:
    for method, rate in METHODS:
        network = networks.create(name, 10, 0.1, **dropconnect.options(method, rate))
        rates = {p: getattr(m, "p", 0) for p, m in network.named_modules()}
        dense = network.layers["dense1"].weight
        assert rates.pop(dense) == (rate if method == DROPCONNECT else 0)
        assert sorted(p for p in rates.values() if p) == ([rate] if method == DROPOUT else [])


def test_partners_are_of_the_same_network_and_rate(table: pd.DataFrame) -> None:
    found = dropconnect.partners(table, DROPOUT)
    assert found["vgg_like DropConnect 0.25"] == "vgg_like dropout 0.25"
    assert len(found) == 4
    found = dropconnect.partners(table, NONE)
    assert found["convnet9 DropConnect 0.5"] == "convnet9 nothing dropped 0"
    assert len(found) == 4


def test_a_verdict_needs_one_rate_and_no_contradiction(table: pd.DataFrame) -> None:
    outcomes = [("yes", "undecided"), ("no", "no"), ("yes", "no"), ("undecided", "")]
    expected = ["yes", "no", "undecided", "undecided"]
    for pair, outcome in zip(outcomes, expected):
        rows = compared(table, [*pair, "undecided", "undecided"])
        first, second = dropconnect.judge(table, {DROPOUT: rows})
        assert (first.network, first.outcome) == ("convnet9", outcome)
        assert (second.network, second.outcome) == ("vgg_like", "undecided")


def test_text_answers_each_question_for_each_network(table: pd.DataFrame) -> None:
    tables = {
        DROPOUT: compared(table, ["yes", "undecided", "no", "no"]),
        NONE: compared(table, ["undecided"] * 4, NONE),
        MEAN: compared(table, ["", "", "undecided", "undecided"]),
    }
    gaps = pd.DataFrame({"arm": table["arm"], "gap": [0.1, 0.2, 0.4, 0.1, 0.1] * 2})
    text = dropconnect.dropconnect(table, tables, gaps)
    lines = text.splitlines()
    assert len([line for line in lines if line.startswith("- ")]) == 6
    assert lines[0] == (
        "- **Yes** · 9-layer ConvNet: DropConnect is more accurate than dropout at the same rate "
        "(at rate 0.25 +4.0 points, 95 % interval 2.0 to 6.0, 3 seeds, adjusted p = 0.010; at rate "
        "0.5 +0.0 points, 95 % interval -2.0 to 2.0, 3 seeds, adjusted p = 0.500)."
    )
    assert lines[1].startswith("- **No** · VGG-like: ")
    assert lines[4].endswith("(not tested: at chance level, or no finished fits in common).")
    assert "VGG-like 10.0 % with nothing dropped, 30.0 % with dropout, 10.0 % with" in lines[-1]
