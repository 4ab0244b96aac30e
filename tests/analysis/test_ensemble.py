"""Votes and error correlations, on arrays and on a run's files."""

from collections import Counter
from pathlib import Path

import error_toys as toys
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from tin_lib import files
from tin_lib.analysis import compare, ensemble, runs, submission


def test_the_papers_rule_for_three_networks() -> None:
    votes = np.array([[1, 1, 1, 2, 1], [1, 1, 2, 1, 2], [1, 2, 1, 1, 3]])
    assert ensemble.majority_vote(votes, fallback=2).tolist() == [1, 1, 1, 1, 3]
    assert ensemble.majority_vote(votes, fallback=0).tolist() == [1, 1, 1, 1, 1]
    assert ensemble.ties(votes).tolist() == [False, False, False, False, True]


def test_four_networks_two_against_two_take_the_fallback() -> None:
    votes = np.array([[5, 5], [5, 5], [7, 6], [7, 8]])
    assert ensemble.majority_vote(votes, fallback=3).tolist() == [7, 5]
    # also where the fallback's label is not one of the leading two
    assert ensemble.majority_vote(np.array([[5], [5], [7], [7], [9]]), 4).tolist() == [9]


def test_one_network_is_its_own_majority() -> None:
    assert ensemble.majority_vote([[4, 2]], 0).tolist() == [4, 2]


@given(
    hnp.arrays(
        np.int64, st.tuples(st.integers(1, 6), st.integers(1, 20)), elements=st.integers(0, 4)
    ),
    st.data(),
)
@settings(deadline=None)
def test_majority_vote_against_counting(votes: np.ndarray, data: st.DataObject) -> None:
    fallback = data.draw(st.integers(0, len(votes) - 1))
    for column, winner in zip(votes.T, ensemble.majority_vote(votes, fallback)):
        ranked = Counter(column.tolist()).most_common()
        tied = len(ranked) > 1 and ranked[0][1] == ranked[1][1]
        assert winner == (column[fallback] if tied else ranked[0][0])


def test_majority_vote_refuses_wrong_shapes() -> None:
    with pytest.raises(ValueError, match="networks, images"):
        ensemble.majority_vote([1, 2, 3], 0)
    with pytest.raises(ValueError, match="fallback"):
        ensemble.majority_vote([[1, 2], [1, 2]], 2)


def test_soft_vote_is_the_mean_probability() -> None:
    logits = [np.log([[0.9, 0.1]]), np.log([[0.3, 0.7]]) + 1000]
    assert ensemble.soft_vote(logits) == pytest.approx(np.array([[0.6, 0.4]]))
    with pytest.raises(ValueError, match="one shape"):
        ensemble.soft_vote([np.zeros((2, 3)), np.zeros((2, 4))])
    with pytest.raises(ValueError, match="one shape"):
        ensemble.soft_vote([])


def test_error_correlation_matches_numpy() -> None:
    errors = pd.DataFrame(np.random.default_rng(0).random((500, 3)) < 0.4, columns=list("abc"))
    errors["b"] ^= errors.a
    table = ensemble.error_correlation(errors)
    expected = np.corrcoef(errors.to_numpy(float).T)
    assert table.to_numpy() == pytest.approx(expected)
    assert ensemble.mean_correlation(table) == pytest.approx(expected[np.triu_indices(3, 1)].mean())


def test_a_network_without_variation_has_no_correlation() -> None:
    errors = pd.DataFrame({"a": [True, False, True], "b": [True, True, False], "c": [False] * 3})
    table = ensemble.error_correlation(errors)
    assert table.c.isna().all()
    assert table.loc["c"].isna().all()
    assert ensemble.mean_correlation(table) == pytest.approx(table.loc["a", "b"])
    assert np.isnan(ensemble.mean_correlation(table[["c"]].loc[["c"]]))


@pytest.fixture
def run(tmp_path: Path) -> runs.Run:
    """Four networks, 60 images of six classes; logits agree with the predictions tables."""
    return made_run(tmp_path, list(toys.names(6)))


def made_run(tmp_path: Path, ids: list[str]) -> runs.Run:
    rng, truth = np.random.default_rng(3), np.repeat(np.arange(6), 10)
    for name, skill in {"convnet9": 1.0, "vgg_like": 0.5, "vgg16": 1.5, "alexnet": 0.8}.items():
        logits = rng.normal(0, 1, (60, 6)) + skill * 2 * np.eye(6)[truth]
        fit_folder(tmp_path / "networks" / name, logits.astype(np.float32), truth, ids)
    return runs.open_run(tmp_path)


def fit_folder(folder: Path, logits: np.ndarray, truth: np.ndarray, ids: list[str]) -> None:
    top = np.argsort(-logits, axis=1)[:, :5]
    names = np.array(ids)
    table = pd.DataFrame({"file": [f"val_{i}.JPEG" for i in range(len(truth))]})
    table = table.assign(label=names[truth], predicted=names[top[:, 0]], probability=0.5)
    table = table.assign(top5=[" ".join(row) for row in names[top]])
    meta = {"class_ids": ids, "class_names": ids, "fingerprint": "f" * 64}
    files.write_json(folder / "meta.json", meta)
    files.write_json(folder / "summary.json", {})
    for split, rows in {"val": table, "test": table.assign(label="")}.items():
        files.write_table(rows, folder / f"predictions_{split}.csv")
        files.write_array(folder / f"logits_{split}.npy", logits)


def test_ensemble_table(run: runs.Run) -> None:
    table = ensemble.ensemble_table(run).set_index("name")
    assert list(table.kind) == ["network"] * 4 + ["vote"] * 2
    val = run.fits["vgg16"].predictions("val")
    assert table.accuracy["vgg16"] == (val.label == val.predicted).mean()
    assert table.loc["vgg16", "low"] < table.accuracy["vgg16"] < table.loc["vgg16", "high"]
    assert table.accuracy["soft vote"] > table.accuracy["vgg_like"]
    assert table.top5["soft vote"] >= table.accuracy["soft vote"]
    assert np.isnan(table.top5["majority vote"])
    assert table.ties["majority vote"] > 0
    assert table.above_chance.all()
    assert table.members["soft vote"] == "convnet9, vgg_like, vgg16, alexnet"


def test_training_accuracies_where_train_was_predicted(run: runs.Run) -> None:
    assert np.isnan(ensemble.train_accuracies(run)).all()
    for fit in run.fits.values():
        files.write_table(fit.predictions("val"), fit.path / "predictions_train.csv")
    table = ensemble.ensemble_table(run)
    assert ensemble.train_accuracies(run)[:5] == table.accuracy.tolist()[:5]
    (run.fits["vgg_like"].path / "predictions_train.csv").unlink()  # as an import leaves it
    assert ensemble.predicted(run, "train") == ["convnet9", "vgg16", "alexnet"]
    found = dict(zip(table.name, ensemble.train_accuracies(run)))
    assert np.isnan([found.pop(name) for name in ("vgg_like", "majority vote", "soft vote")]).all()
    kept = table.set_index("name").accuracy
    assert found == {name: kept[name] for name in ("convnet9", "vgg16", "alexnet")}


def test_predictions_with_votes(run: runs.Run) -> None:
    tables = ensemble.with_votes(run)
    assert list(tables) == list(ensemble.ensemble_table(run).name)
    assert tables["majority vote"].equals(ensemble.vote(run))
    assert tables["soft vote"].equals(ensemble.soft(run))
    two = runs.Run(run.path, {name: run.fits[name] for name in ("convnet9", "alexnet")})
    assert list(ensemble.with_votes(two)) == ["convnet9", "alexnet", "soft vote"]
    one = runs.Run(run.path, {"vgg16": run.fits["vgg16"]})
    assert list(ensemble.with_votes(one)) == ["vgg16"]
    chosen = ensemble.with_votes(run, "val", ["alexnet", "convnet9"], "alexnet")
    assert list(chosen) == ["alexnet", "convnet9", "majority vote", "soft vote"]
    assert chosen["majority vote"].predicted.tolist() == chosen["alexnet"].predicted.tolist()


def test_members_and_fallback(run: runs.Run) -> None:
    three = ["convnet9", "vgg_like", "vgg16"]
    table = ensemble.vote(run, "val", three)
    tables = ensemble.predictions(run, "val", three)
    given = np.stack([each.predicted.to_numpy(str) for each in tables.values()])
    split_three_ways = ensemble.ties(given)
    assert split_three_ways.any()
    assert (table.predicted.to_numpy(str) == given[2])[split_three_ways].all()
    assert set(table.probability.round(4)) <= {0.3333, 0.6667, 1.0}
    with pytest.raises(ValueError, match="alexnet does not vote"):
        ensemble.vote(run, "val", three, fallback="alexnet")
    with pytest.raises(ValueError, match="holds no network vgg19"):
        ensemble.predictions(run, "val", ["vgg19"])


def test_soft_vote_on_test_can_be_submitted(run: runs.Run) -> None:
    table = ensemble.soft(run, "test")
    mean = ensemble.soft_vote([fit.logits("test") for fit in run.fits.values()])
    ids = run.fits["vgg16"].class_ids
    assert list(table.predicted) == [ids[best] for best in mean.argmax(axis=1)]
    assert table.probability.to_numpy() == pytest.approx(mean.max(axis=1), abs=1e-6)
    assert (table.label == "").all()


def test_networks_of_other_images_are_refused(run: runs.Run) -> None:
    path = run.fits["alexnet"].path / "predictions_val.csv"
    path.write_text(path.read_text().replace("val_7.JPEG", "val_700.JPEG"))
    with pytest.raises(ValueError, match="alexnet and convnet9 do not list the same val images"):
        ensemble.ensemble_table(run)


@pytest.mark.parametrize(
    "ids",
    [
        [f"{number:05d}" for number in range(6)],  # numbers, to a reader that guesses types
        ["1", "12", "0012", "1e3", "nan", "True"],
    ],
)
def test_class_ids_that_look_like_something_else_keep_their_text(
    tmp_path: Path, ids: list[str]
) -> None:
    """An accuracy of 1.000 became 0.000: ids were read as numbers, or cut to one length."""
    run, plain = made_run(tmp_path / "digits", ids), made_run(tmp_path / "plain", list("uvwxyz"))
    found, expected = ensemble.ensemble_table(run), ensemble.ensemble_table(plain)
    assert found.accuracy.tolist() == expected.accuracy.tolist()
    assert found.top5.tolist() == pytest.approx(expected.top5.tolist(), nan_ok=True)
    for each in (ensemble.vote(run, "test"), ensemble.soft(run, "test")):
        assert set(each.predicted) <= set(ids)
        path = tmp_path / "sent.txt"
        submission.write_submission(path, list(each.file), list(each.predicted))
        assert submission.read_submission(path).tolist() == each.predicted.tolist()


def skilled(rate: float, seed: int, images: int = 400) -> pd.DataFrame:
    """Predictions over ten classes that are right at a rate."""
    rng, ids = np.random.default_rng(seed), list(toys.names(10))
    truth = np.arange(images) % 10
    return toys.predictions(truth, np.full(images, rate), ids, rng)


def test_pairwise_tests_have_three_outcomes_and_leave_out_chance() -> None:
    tables = {"a": skilled(0.3, 0), "b": skilled(0.6, 1), "c": skilled(0.62, 2)}
    tables |= {"chance": skilled(0.1, 3), "again": tables["b"]}
    found = compare.pairwise(tables, classes=10).set_index(["a", "b"])
    assert len(found) == 6  # of four tables; "chance" is in none
    assert found.outcome["b", "a"] == found.outcome["again", "a"] == "yes"
    assert found.outcome["c", "b"] == "undecided"
    assert (found.loc[("again", "b"), ["difference", "p"]] == [0, 1]).all()
    row = found.loc[("b", "a")]
    assert row.low < row.difference < row.high
    assert row.p < row.p_adjusted < 0.05
    turned = compare.pairwise({"b": tables["b"], "a": tables["a"]}, 10)
    assert turned.outcome.tolist() == ["no"]
    nothing = compare.pairwise({"a": tables["a"]}, 10)
    assert nothing.empty
    assert list(nothing.columns) == compare.COLUMNS


def test_holm_takes_back_what_one_test_alone_would_grant() -> None:
    rng = np.random.default_rng(0)
    rates = (0.44, 0.47, 0.5, 0.5, 0.53, 0.56)
    tables = {str(rate): skilled(rate, int(rng.integers(1 << 30))) for rate in rates}
    found = compare.pairwise(tables, 10)
    assert (found.p < 0.05).any()
    assert set(found.outcome[found.p_adjusted >= 0.05]) == {"undecided"}


def test_best_network_and_chance_of_unequal_classes() -> None:
    tables = {"a": skilled(0.3, 0), "b": skilled(0.6, 1)}
    assert ensemble.best_network(tables) == "b"
    assert ensemble.best_network({"first": tables["a"], "same": tables["a"]}) == "first"
    one = pd.DataFrame({"label": ["x"] * 90 + ["y"] * 10, "predicted": "x"})
    assert not ensemble.above_chance(one, classes=10)
    assert ensemble.above_chance(one.assign(predicted=one.label), classes=10)
    assert not ensemble.above_chance(one[:0], classes=10)
