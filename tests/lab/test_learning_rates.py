"""Learning rates: the table of rates, the verdicts, and the figures."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tin_lib import runs
from tin_lib.analysis import arms, lr_range
from tin_lib.lab.conclusions import learning_rates
from tin_lib.lab.conclusions.learning_rates import NESTEROV, PLAIN
from tin_lib.lab.figures import learning_rates as figures

IMAGES, CLASSES = 120, 4
IDS = [f"n{number}" for number in range(CLASSES)]


def write_recipe(folder: Path, nesterov: bool, rate: float) -> None:
    folder.mkdir(parents=True)
    recipe = {"network": "convnet9", "nesterov": nesterov, "lr": rate, "epochs": 2}
    (folder / "recipe.json").write_text(json.dumps(recipe))


def write_fit(folder: Path, correct: int, loss: float) -> runs.Fit:
    """What the tables read of a fit that is right on so many images and ends at this loss."""
    meta = {"class_ids": IDS, "fingerprint": "f", "images": {"val": IMAGES}}
    (folder / "meta.json").write_text(json.dumps(meta))
    summary = {"train_accuracy": 0.9, "val_accuracy": correct / IMAGES, "epochs": 2, "seconds": 1}
    (folder / "summary.json").write_text(json.dumps(summary))
    history = [{"epoch": 1, "train_loss": 1.5}, {"epoch": 2, "train_loss": loss}]
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in history))
    labels = np.arange(IMAGES) % CLASSES
    right = np.random.default_rng(correct).permutation(IMAGES) < correct
    predicted = np.array(IDS)[np.where(right, labels, (labels + 1) % CLASSES)]
    table = pd.DataFrame({"file": np.arange(IMAGES), "label": np.array(IDS)[labels]})
    table = table.assign(predicted=predicted, probability=0.5, top5="")
    table.to_csv(folder / "predictions_val.csv", index=False)
    return runs.Fit(folder)


def write_diverged(folder: Path) -> arms.DivergedFit:
    record = {"epoch": 2, "message": "nan", "history": [{"epoch": 1, "train_loss": 90.0}]}
    (folder / arms.DIVERGED).write_text(json.dumps(record))
    return arms.DivergedFit(folder)


@pytest.fixture
def fits(tmp_path: Path) -> arms.Fits:
    """Plain SGD learns at 0.1 alone; with momentum it diverges there and learns at 0.01."""
    found: dict[arms.Key, arms.AnyFit] = {}
    chance, learnt = (30, 1.386), (90, 0.4)
    kinds = [(False, 0.01, chance), (False, 0.1, learnt), (True, 0.01, learnt), (True, 0.1, None)]
    for nesterov, rate, outcome in kinds:
        for seed in range(3):
            arm = f"convnet9, {NESTEROV if nesterov else PLAIN}, {rate:g}"
            folder = tmp_path / f"{nesterov}-{rate:g}-{seed}"
            write_recipe(folder, nesterov, rate)
            made = write_fit(folder, outcome[0] + seed, outcome[1]) if outcome else None
            found[arm, seed] = made or write_diverged(folder)
    return found


def test_table_of_rates(fits: arms.Fits) -> None:
    table = learning_rates.rate_table(fits)
    assert list(table.columns) == [
        "arm", "network", "optimizer", "rate", "seeds", "diverged",
        "train_loss", "val_accuracy", "val_std", "converged",
    ]  # fmt: skip
    assert list(table["converged"]) == [0, 3, 3, 0]
    assert list(table["diverged"]) == [0, 0, 0, 3]
    assert table["val_accuracy"].iloc[1] == pytest.approx(91 / IMAGES)
    assert table["val_std"].iloc[1] == pytest.approx(1 / IMAGES)
    assert table["train_loss"].iloc[1] == pytest.approx(0.4)
    assert np.isnan(table["val_accuracy"].iloc[3])


def test_a_loss_above_that_of_guessing_has_not_converged(tmp_path: Path) -> None:
    write_recipe(tmp_path / "fit", False, 0.1)
    assert not learning_rates.converged(write_fit(tmp_path / "fit", 90, 1.5))


def test_divergence_at_the_papers_rate_supports_its_claim(fits: arms.Fits) -> None:
    table = learning_rates.rate_table(fits)
    partners = learning_rates.plain_partners(table)
    assert partners[f"convnet9, {NESTEROV}, 0.01"] == f"convnet9, {PLAIN}, 0.01"
    compared = arms.compare(fits, partners)
    claim = learning_rates.judge_claim(table, compared)
    assert claim.outcome == "yes"
    assert claim.converged == {PLAIN: (3, 3), NESTEROV: (0, 3)}
    text = learning_rates.claim_text(claim)
    assert text.startswith("**Yes**")
    assert "3 of 3 seeds with plain SGD" in text
    assert "nan" not in text
    assert learning_rates.judge_claim(table, compared, rate=0.01).outcome == "untested"
    with pytest.raises(ValueError, match=r"rate 0\.3 was not tried"):
        learning_rates.judge_claim(table, compared, rate=0.3)


def test_a_rate_of_the_paper_that_is_not_tried_is_refused() -> None:
    learning_rates.check_rates([1e-3, 1e-1])
    with pytest.raises(ValueError, match=r"convnet9_rates=\[0\.001, 0\.3\]: must contain 0\.1"):
        learning_rates.check_rates([1e-3, 0.3])


@pytest.mark.parametrize(
    ("plain", "other", "worse", "outcome"),
    [
        (3, 0, False, "yes"),
        (3, 1, True, "yes"),
        (3, 1, False, "undecided"),
        (3, 3, True, "no"),
        (2, 0, True, "untested"),
    ],
)
def test_outcomes(plain: int, other: int, worse: bool, outcome: str) -> None:
    counts = {PLAIN: (plain, 3), NESTEROV: (other, 3)}
    assert learning_rates.outcome_of(counts, worse) == outcome


def test_best_rates(fits: arms.Fits) -> None:
    table = learning_rates.rate_table(fits)
    chosen = learning_rates.best_of_panel(table)
    best = learning_rates.judge_best(table, arms.compare(fits, chosen))
    assert [(each.optimizer, each.rate, each.equal) for each in best] == [
        (PLAIN, 0.1, ()),
        (NESTEROV, 0.01, ()),
    ]
    assert "0.1 reaches the highest" in learning_rates.best_text(best[0])
    none = learning_rates.judge_best(table.assign(converged=0), arms.compare(fits, {}))
    assert "no rate converges" in learning_rates.best_text(none[0])


def test_curves_mark_divergence(fits: arms.Fits) -> None:
    table = learning_rates.rate_table(fits)
    panels = dict(zip(table["arm"], zip(table["network"], table["optimizer"])))
    figure = figures.by_rate(fits, panels)
    titles = [note.text for note in figure.layout.annotations]
    assert titles == [f"9-layer ConvNet, {PLAIN}", f"9-layer ConvNet, {NESTEROV}"]
    crosses = [trace for trace in figure.data if trace.marker.symbol == "x"]
    assert [list(trace.x) for trace in crosses] == [[2, 2, 2]]
    assert max(crosses[0].y) <= figure.layout.yaxis2.range[1] < 90
    named = [trace.name for trace in figure.data if trace.showlegend]
    assert sorted(named) == ["0.01", "0.1"]


def test_range_tests_beside_the_rates_tried(fits: arms.Fits) -> None:
    lr = lr_range.rates(1e-6, 10, 100)
    loss = 3 - 1 / (1 + np.exp(-4 * (np.log10(lr) + 2))) + np.exp(6 * (np.log10(lr) - 0.2))
    columns = {"update": range(100), "lr": lr, "loss": loss, "smoothed": lr_range.smooth(loss, 5)}
    tests = {("convnet9", seed): pd.DataFrame(columns) for seed in range(2)}
    spread = lr_range.spread(lr_range.suggestions(tests))
    table = learning_rates.rate_table(fits)
    figure = figures.range_tests(tests, spread, table)
    assert [trace.name for trace in figure.data[:4]] == ["seed 0", "seed 1", PLAIN, NESTEROV]
    assert len(figure.layout.shapes) == 2 * 2 * 2  # band and line, two kinds, both rows
    best = learning_rates.judge_best(table, arms.compare(fits, {}))
    text = learning_rates.range_text(spread, best)
    assert "Of the rates tried, the best is 0.1" in text
    flat = {("vgg16", 0): pd.DataFrame(columns | {"loss": 2.3, "smoothed": 2.3})}
    nothing = lr_range.spread(lr_range.suggestions(flat))
    assert "no suggestion" in learning_rates.range_text(nothing, best)
    figures.range_tests(flat, nothing, table)
