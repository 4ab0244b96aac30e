"""Arms of an experiment: crossed tests of seeds and images, tables, fits that diverged."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tin_lib import recipes, runs
from tin_lib.analysis import arms, statistics

IMAGES, CLASSES = 200, 4


def write_fit(
    folder: Path, right: np.ndarray, train: float = 0.9, fingerprint: str = "f"
) -> runs.Fit:
    """A fit's folder with what the tables read; ``right``: bool (N,), which images are right."""
    folder.mkdir(parents=True)
    ids = [f"n{number}" for number in range(CLASSES)]
    meta = {"class_ids": ids, "fingerprint": fingerprint, "images": {"val": len(right)}}
    (folder / "meta.json").write_text(json.dumps(meta))
    (folder / "recipe.json").write_text("{}")
    summary = {"train_accuracy": train, "val_accuracy": float(right.mean())}
    (folder / "summary.json").write_text(json.dumps(summary | {"epochs": 2, "seconds": 1.0}))
    labels = np.array(ids)[np.arange(len(right)) % CLASSES]
    predicted = np.where(right, labels, np.array(ids)[(np.arange(len(right)) + 1) % CLASSES])
    table = pd.DataFrame({"file": [f"{n}.JPEG" for n in range(len(right))], "label": labels})
    table = table.assign(predicted=predicted, probability=0.5, top5=" ".join(ids))
    table.to_csv(folder / "predictions_val.csv", index=False)
    return runs.Fit(folder)


def draw(rate: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(IMAGES) < rate


def write_diverged(folder: Path) -> arms.DivergedFit:
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_text("{}")
    record = {"epoch": 2, "message": "epoch 2: the loss is nan", "history": [{"epoch": 1}]}
    (folder / arms.DIVERGED).write_text(json.dumps(record))
    return arms.DivergedFit(folder)


@pytest.fixture
def fits(tmp_path: Path) -> arms.Fits:
    """Two arms of which one is clearly better, one at chance, one that diverged."""
    found: dict[arms.Key, arms.AnyFit] = {}
    for seed in range(3):
        for arm, rate in (("plain", 0.5), ("better", 0.8), ("chance", 0.25), ("guess", 0.26)):
            right = draw(rate, 10 * seed + int(100 * rate))
            found[arm, seed] = write_fit(tmp_path / f"{arm}-{seed}", right)
        found["lost", seed] = write_diverged(tmp_path / f"lost-{seed}")
    return found


def test_compare_says_which_arm_is_better(fits: arms.Fits) -> None:
    table = arms.compare(fits, "plain").set_index("arm")
    assert list(table.index) == ["plain", "better", "chance", "guess", "lost"]
    assert table.outcome.to_dict() == {
        "plain": "",
        "better": "yes",
        "chance": "no",
        "guess": "no",
        "lost": "",
    }
    better = table.loc["better"]
    expected = table.val_accuracy["better"] - table.val_accuracy["plain"]
    assert better.difference == pytest.approx(expected)
    assert better.low < better.difference < better.high
    assert better.gap == pytest.approx(0.9 - better.val_accuracy)
    assert table.seeds["lost"] == 0
    assert table.diverged["lost"] == 3
    assert np.isnan(table.val_accuracy["lost"])


def test_the_seeds_of_a_comparison_are_those_that_both_arms_have(fits: arms.Fits) -> None:
    fewer = {key: fit for key, fit in fits.items() if key != ("plain", 0)}
    table = arms.compare(fewer, "plain").set_index("arm")
    assert table.seeds["better"] == 3
    assert table.paired.to_dict() == {"plain": 0, "better": 2, "chance": 2, "guess": 2, "lost": 0}


@pytest.mark.parametrize(
    "given",
    [
        *({"seeds": each} for each in (0, True, 1.5, None)),
        *({"rates": each} for each in ([], [0.1, 0.1], [-1], [float("nan")], ["a"])),
    ],
    ids=str,
)
def test_parameters_that_are_no_experiment_are_named(given: dict) -> None:
    arms.check_parameters(seeds=1, rates=[0.1, 0.5])
    with pytest.raises(ValueError, match=next(iter(given))):
        arms.check_parameters(**given)


def test_two_arms_at_chance_are_not_tested(fits: arms.Fits) -> None:
    table = arms.compare(fits, {"guess": "chance", "better": "plain"}).set_index("arm")
    assert table.outcome["guess"] == "undecided"
    assert np.isnan(table.p["guess"])
    assert table.outcome["better"] == "yes"
    assert table.p_adjusted["better"] == table.p["better"]  # one test was made
    assert table.outcome["plain"] == ""


def test_a_reference_that_diverged_leaves_everything_undecided(fits: arms.Fits) -> None:
    table = arms.compare(fits, "lost").set_index("arm")
    assert table.outcome["better"] == "undecided"
    assert table.p.isna().all()


def test_by_fit_keeps_every_fit(fits: arms.Fits) -> None:
    table = arms.by_fit(fits)
    assert len(table) == 15
    lost = table[table.arm == "lost"]
    assert lost.diverged_in.eq(2).all()
    assert lost.val_accuracy.isna().all()
    diverged = fits["lost", 0]
    assert isinstance(diverged, arms.DivergedFit)
    assert "nan" in diverged.message
    assert diverged.history().epoch.tolist() == [1]


def test_fits_of_other_images_are_refused(fits: arms.Fits, tmp_path: Path) -> None:
    other = write_fit(tmp_path / "other", draw(0.5, 1), fingerprint="g")
    with pytest.raises(ValueError, match="other was made from other data"):
        arms.compare({**fits, ("other", 0): other}, "plain")


def test_compare_values_of_a_part_of_the_images() -> None:
    rng = np.random.default_rng(0)
    base = {("a", seed): rng.normal(size=300) for seed in range(3)}
    more = {("b", seed): base["a", seed] + 0.2 + 0.1 * rng.normal(size=300) for seed in range(3)}
    table = arms.compare_values(base | more, "a").set_index("arm")
    assert table.outcome["b"] == "yes"
    assert table.difference["b"] == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize(
    ("of_seed", "of_image", "rest"), [(0, 0.3, 0.3), (0.05, 0.3, 0.3), (0.03, 0, 0.4)]
)
def test_crossed_intervals_cover_the_truth(of_seed: float, of_image: float, rest: float) -> None:
    rng, missed, rounds = np.random.default_rng(1), 0, 400
    for _ in range(rounds):
        d = of_seed * rng.normal(size=(3, 1)) + of_image * rng.normal(size=(1, 300))
        d = d + rest * rng.normal(size=(3, 300))
        test = statistics.crossed_difference(d + 0.1, np.zeros_like(d))
        missed += not test.low <= 0.1 <= test.high
    assert missed / rounds < 0.1


def test_an_effect_of_one_seed_alone_is_not_significant() -> None:
    difference = np.zeros((3, 1000))
    difference[0] = 0.5  # an interval over images alone would exclude 0
    test = statistics.crossed_difference(difference, np.zeros_like(difference))
    assert test.low < 0 < test.high


def test_crossed_difference_at_its_limits() -> None:
    one = np.random.default_rng(2).normal(size=(1, 50))
    alone = statistics.crossed_difference(one, 0 * one)
    assert alone == statistics.paired_difference(one[0], 0 * one[0])
    same = statistics.crossed_difference(np.ones((3, 5)), np.ones((3, 5)))
    assert (same.mean, same.p) == (0.0, 1.0)
    with pytest.raises(ValueError, match=r"\(S, N\)"):
        statistics.crossed_difference(np.ones(3), np.ones(3))


@pytest.mark.parametrize("network", ["convnet9", "torchvision:mobilenet_v3_small"])
def test_unregularised_recipes_have_no_regularisation(network: str) -> None:
    recipe = recipes.get("modern", network, penalties="paper")
    plain = arms.unregularised(recipe)
    off = (plain.weight_decay, plain.label_smoothing, plain.mixup, plain.cutmix, plain.penalties)
    assert off == (0, 0, 0, 0, "none")
    assert plain.network_options.get("dropout", 0) == 0
    assert ("dropout" in plain.network_options) == (network == "convnet9")
    assert (plain.lr, plain.augment) == (recipe.lr, recipe.augment)


def test_several_tables_are_corrected_together(fits: arms.Fits) -> None:
    one, two = arms.compare(fits, {"better": "plain"}), arms.compare(fits, {"guess": "plain"})
    both = arms.corrected(one, two)
    assert both.arm.tolist() == ["better", "guess"]
    assert both.outcome.tolist() == ["yes", "no"]
    assert both.p_adjusted.tolist() == pytest.approx(list(statistics.holm(both.p)))
    assert (both.p_adjusted >= both.p).all()
    weak = one.assign(p=0.03)
    assert arms.corrected(weak, weak).outcome.tolist() == ["undecided", "undecided"]


def test_fits_are_summarised_over_their_seeds(fits: arms.Fits) -> None:
    by_fit = arms.by_fit(fits)
    table = arms.over_seeds(by_fit, ["arm"], ["gap"], val_std=("val_accuracy", "std"))
    assert table.arm.tolist() == ["plain", "better", "chance", "guess", "lost"]  # not by name
    assert table.seeds.tolist() == [3] * 5
    own = by_fit[by_fit.arm == "better"]
    assert table.gap[1] == pytest.approx(own.gap.mean())
    assert table.val_std[1] == pytest.approx(own.val_accuracy.std())
