"""Class-adaptive shares from held-out errors, and the comparison of the arms."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from adaptive_toys import first_fits, later_fits, write_fit
from hypothesis import given, settings
from hypothesis import strategies as st

from tin_lib.analysis import adaptive, arms, runs
from tin_lib.augment import AugmentSpec
from tin_lib.data import open_data

WORST = np.array([False, False, False, True])


def row(table: pd.DataFrame, group: str, against: str) -> pd.Series:
    return table[(table["group"] == group) & (table["against"] == against)].iloc[0]


# --- errors and shares ----------------------------------------------------------------------


def test_errors_are_those_of_the_held_out_images(tmp_path):
    fits = first_fits(tmp_path)
    table = adaptive.heldout_errors(fits)
    counted = [fit.predictions("heldout") for fit in fits.values()]
    wrong = [(t["label"] != t["predicted"]).groupby(t["label"]).mean() for t in counted]
    np.testing.assert_allclose(table["error"], np.mean(wrong, axis=0))
    assert table["images"].tolist() == [40] * 4
    assert table["class_name"].tolist() == ["cup", "dog", "pen", "umbrella"]


def test_val_is_never_read_for_the_shares(tmp_path):
    fits = first_fits(tmp_path)
    shares = adaptive.class_shares(fits)
    for fit in fits.values():
        (fit.path / "predictions_val.csv").unlink()
    assert adaptive.class_shares(fits) == shares


def test_the_hard_class_gets_most_copies_and_the_mean_stays_one(tmp_path):
    fits = first_fits(tmp_path)
    shares = adaptive.class_shares(fits)
    assert np.argmax(shares) == 3
    assert np.mean(shares) == pytest.approx(1, abs=1e-3)
    assert AugmentSpec("paper_copies", class_shares=shares).class_shares == shares
    errors = adaptive.heldout_errors(fits)["smoothed"]
    np.testing.assert_allclose(shares, errors / errors.mean(), atol=1e-3)


def test_strength_stretches_the_shares_and_zero_gives_all_the_same(tmp_path):
    fits = first_fits(tmp_path)
    assert adaptive.class_shares(fits, strength=0) == (1, 1, 1, 1)
    weak, strong = (max(adaptive.class_shares(fits, s)) for s in (0.5, 2.0))
    assert 1 < weak < strong
    assert max(adaptive.class_shares(fits, 50.0, most=2.5)) == 2.5


def test_smoothing_draws_errors_towards_the_mean_by_the_number_of_images():
    error, images = np.array([0.2, 0.6]), np.array([10, 30])
    mean = (2 + 18) / 40
    expected = [(2 + 10 * mean) / 20, (18 + 10 * mean) / 40]
    np.testing.assert_allclose(adaptive.smooth(error, images, 10), expected)
    np.testing.assert_allclose(adaptive.smooth(error, images, 0), error)


def test_differences_that_chance_explains_are_smoothed_away():
    rng, images = np.random.default_rng(0), np.full(200, 20)
    same = rng.binomial(20, 0.5, 200) / 20
    truth = rng.beta(5, 5, 200)
    differing = rng.binomial(20, truth) / 20
    assert np.ptp(adaptive.smooth(same, images)) < 0.2 * np.ptp(same)
    smoothed = adaptive.smooth(differing, images)
    assert ((smoothed - truth) ** 2).mean() < 0.8 * ((differing - truth) ** 2).mean()
    prior = adaptive.prior_images(differing, images, float(differing.mean()))
    assert 6 < prior < 17  # the beta distribution has 10


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=30), st.floats(1, 10))
@settings(deadline=None, max_examples=100)
def test_bounded_shares_have_mean_one_and_keep_their_order(values, most):
    shares = adaptive.bounded(np.array(values), most)
    assert shares.mean() == pytest.approx(1)
    assert shares.max() <= most * (1 + 1e-6)
    assert (np.diff(shares[np.argsort(values)]) >= -1e-9).all()


def test_no_errors_at_all_give_equal_shares(tmp_path):
    fits = {("uniform", 0): write_fit(tmp_path / "fit", [1.0] * 4, [1.0] * 4)}
    assert adaptive.class_shares(fits) == (1, 1, 1, 1)


def test_shuffled_shares_are_the_same_numbers_elsewhere():
    shares = tuple(float(k) for k in range(20))
    dealt = [adaptive.shuffled(shares, seed) for seed in (0, 0, 1)]
    assert sorted(dealt[0]) == list(shares) != list(dealt[0])
    assert dealt[0] == dealt[1] != dealt[2]


def test_the_worst_classes_are_the_share_with_the_highest_error():
    error = pd.Series([0.5, 0.9, 0.1, 0.7])
    table = pd.DataFrame({"error": error, "smoothed": 0.5})
    assert adaptive.worst_classes(table, 0.1).tolist() == [False, True, False, False]
    assert adaptive.worst_classes(table, 0.5).tolist() == [False, True, False, True]
    assert adaptive.worst_classes(pd.concat([table] * 50), 0.1).sum() == 20


@pytest.mark.parametrize(
    ("name", "value"), [("strength", -1), ("strength", np.nan), ("most", 0.5), ("smoothing", -1)]
)
def test_bad_parameters_are_named(tmp_path, name, value):
    with pytest.raises(ValueError, match=name):
        adaptive.class_shares(first_fits(tmp_path), **{name: value})


def test_a_share_of_worst_classes_outside_0_to_1_is_named():
    with pytest.raises(ValueError, match="worst=1"):
        adaptive.worst_classes(pd.DataFrame({"error": [0.1], "smoothed": [0.1]}), 1)


def test_data_without_held_out_images_are_refused_before_training():
    with pytest.raises(ValueError, match="holdout: no held-out image"):
        adaptive.check_heldout(open_data("sample", classes=2, per_class=8))
    adaptive.check_heldout(open_data("sample", classes=2, per_class=8, holdout=0.25))


def test_fits_without_a_held_out_part_or_that_diverged_are_refused(tmp_path, run: runs.Run):
    with pytest.raises(FileNotFoundError, match="heldout"):
        adaptive.class_shares({("uniform", 0): run.first})
    with pytest.raises(ValueError, match="diverged"):
        adaptive.class_shares({("uniform", 0): arms.DivergedFit(tmp_path)})


# --- the arms -------------------------------------------------------------------------------


def test_a_gain_of_the_worst_classes_that_the_others_pay_for_is_found(tmp_path):
    fits = later_fits(tmp_path, worst=0.95, others=0.55)
    table = adaptive.compare_groups(fits, WORST)
    for against in (adaptive.UNIFORM, adaptive.SHUFFLED):
        assert row(table, adaptive.WORST, against)["outcome"] == "yes"
        assert row(table, adaptive.OTHERS, against)["outcome"] == "no"
    labels = [fit.predictions("val") for key, fit in fits.items() if key[0] == adaptive.ADAPTIVE]
    right = [(t["label"] == t["predicted"])[t["label"] == "n3"].mean() for t in labels]
    worst = row(table, adaptive.WORST, adaptive.UNIFORM)
    assert worst["mean"] == pytest.approx(np.mean(right))
    assert worst["std"] == pytest.approx(np.std(right, ddof=1))
    assert worst["seeds"] == 3
    plain = adaptive.means(adaptive.by_group(fits, WORST)).set_index(["group", "arm"])["mean"]
    gain = worst["mean"] - plain[adaptive.WORST, adaptive.UNIFORM]
    assert worst["difference"] == pytest.approx(gain)


def test_equal_arms_are_undecided(tmp_path):
    table = adaptive.compare_groups(later_fits(tmp_path, worst=0.4), WORST)
    assert set(table["outcome"]) == {"undecided"}
    assert len(table) == 6


def test_arms_at_chance_are_not_tested(tmp_path):
    val = [0.25] * 4
    fits = {
        (arm, seed): write_fit(tmp_path / f"{arm}{seed}", val, val, seed)
        for arm in (adaptive.UNIFORM, adaptive.ADAPTIVE, adaptive.SHUFFLED)
        for seed in range(3)
    }
    table = adaptive.compare_groups(fits, WORST)
    assert table["p"].isna().all()
    assert set(table["outcome"]) == {"undecided"}


def test_an_arm_that_diverged_is_not_compared(tmp_path):
    fits = later_fits(tmp_path)
    lost = {key: arms.DivergedFit(tmp_path) for key in fits if key[0] == adaptive.SHUFFLED}
    table = adaptive.compare_groups({**fits, **lost}, WORST)
    assert table.loc[table["against"] == adaptive.SHUFFLED, "p"].isna().all()
    assert table.loc[table["against"] == adaptive.UNIFORM, "p"].notna().all()


def test_changes_of_each_class(tmp_path):
    fits = later_fits(tmp_path, worst=1.0, others=0.0)
    errors = adaptive.heldout_errors(first_fits(tmp_path))
    table = adaptive.changes(fits, errors.assign(worst=WORST))
    assert (table[adaptive.ADAPTIVE][:3] < -0.6).all()
    assert table[adaptive.ADAPTIVE][3] > 0.4
    assert (table[adaptive.SHUFFLED].abs() < 0.3).all()
    assert table["error"].equals(errors["error"])


def test_regression_to_the_mean(tmp_path: Path):
    table = adaptive.regression_to_the_mean(first_fits(tmp_path), later_fits(tmp_path), WORST)
    chosen, same, fresh = table[adaptive.WORST]
    assert chosen == pytest.approx(0.9, abs=0.1)
    assert same == pytest.approx(0.7, abs=0.1)
    assert fresh == pytest.approx(0.6, abs=0.1)
    assert table[adaptive.OTHERS].tolist() == pytest.approx([0.17, 0.17, 0.2], abs=0.06)
