"""The linear probe: its solution, its penalty, its learning curve."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_data import make_tiny

from tin_lib.analysis import features
from tin_lib.analysis.features import imagenet, probe, results, store
from tin_lib.data import TinyImageNet

CLASSES, WIDE = 3, 6


def blobs(each: int, noise: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, 6) around a centre for each of three classes, at different scales."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(CLASSES, WIDE))
    labels = np.repeat(np.arange(CLASSES), each)
    rows = centres[labels] + noise * rng.normal(size=(len(labels), WIDE))
    return (rows * 10.0 ** np.arange(WIDE) + 5).astype(np.float32), labels


def test_the_solution_is_that_of_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    rows, labels = blobs(40)
    penalty = 0.01
    fitted = probe.fit(rows, labels, CLASSES, (penalty,))
    standardised = (rows - rows.mean(0)) / rows.std(0)
    theirs = linear.LogisticRegression(C=1 / (penalty * len(rows)), tol=1e-8, max_iter=5000)
    theirs.fit(standardised, labels)
    np.testing.assert_allclose(fitted.weight, theirs.coef_, atol=0.01)
    expected = theirs.predict_proba(standardised)
    found = torch.from_numpy(fitted.scores(rows)).softmax(1)
    np.testing.assert_allclose(found, expected, atol=0.005)


def test_the_gradient_vanishes_at_the_solution() -> None:
    rows, labels = blobs(40)
    fitted = probe.fit(rows, labels, CLASSES, (0.1,))
    weight = fitted.weight.clone().requires_grad_()
    x = (torch.from_numpy(rows) - fitted.mean) / fitted.scale
    loss = F.cross_entropy(F.linear(x, weight, fitted.bias), torch.from_numpy(labels))
    (loss + 0.05 * weight.square().sum()).backward()
    assert weight.grad is not None
    assert weight.grad.abs().max() < 2e-3
    assert fitted.weight.abs().max() > 0.1


def test_the_same_call_gives_the_same_probe() -> None:
    rows, labels = blobs(20)
    first, second = (probe.fit(rows, labels, CLASSES, seed=3) for _ in range(2))
    assert torch.equal(first.weight, second.weight)
    assert first.heldout == second.heldout


def test_noise_calls_for_a_stronger_penalty() -> None:
    rng = np.random.default_rng(0)
    rows, labels = blobs(20, 1.5)
    many = np.concatenate([rows / rows.std(0), rng.normal(size=(len(rows), 200))], 1)
    chosen = probe.fit(many.astype(np.float32), labels, CLASSES, (10.0, 1.0, 1e-6))
    assert chosen.penalty > 1e-6
    assert max(chosen.heldout.values()) == chosen.heldout[chosen.penalty]


def test_validation_rows_take_no_part_in_the_choice() -> None:
    """The held-out part is a fifth of each class of the rows given."""
    labels = np.repeat(np.arange(4), [5, 10, 20, 50])
    mask = probe.held_out(labels, np.random.default_rng(0))
    assert np.bincount(labels[mask]).tolist() == [1, 2, 4, 10]
    assert not probe.held_out(labels[3:], np.random.default_rng(0)).any()


def test_few_images_use_the_fallback_penalty() -> None:
    rows, labels = blobs(1)
    fitted = probe.fit(rows, labels, CLASSES)
    assert fitted.penalty == probe.FALLBACK
    assert not fitted.heldout
    assert np.isfinite(fitted.scores(rows)).all()


def test_a_constant_feature_does_no_harm() -> None:
    rows, labels = blobs(20)
    rows[:, 2] = 4.0
    fitted = probe.fit(rows, labels, CLASSES)
    assert torch.isfinite(fitted.weight).all()
    assert fitted.weight[:, 2].abs().max() < 1e-6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros(5, int)}, "do not fit each other"),
        ({"labels": np.full(60, -1)}, "labels must lie in 0 to 2; test images have none"),
        ({"labels": np.full(60, 3)}, "labels must lie in 0 to 2"),
        ({"penalties": (0.1, 0.0)}, "penalties=.*must be positive"),
        ({"penalties": ()}, "penalties=.*must be positive"),
        ({"rows": np.full((60, WIDE), np.nan, np.float32)}, "features: some values are not finite"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    rows, labels = blobs(20)
    with pytest.raises(ValueError, match=message):
        probe.fit(**dict({"rows": rows, "labels": labels, "classes": CLASSES}, **change))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny: TinyImageNet) -> store.Features:
    """Features of a random network; the classes' colours can be told from them."""
    backbone = features.open_backbone("torchvision:squeezenet1_1", "random", 48)
    folder = tmp_path_factory.mktemp("features")
    return features.extract(backbone, tiny, folder)


def test_a_learning_curve(made: store.Features, tiny: TinyImageNet) -> None:
    curve = features.learning_curve(made, tiny, (1, 5, 24, 1000), draws=(0, 1))
    table = curve.table
    assert table[["per_class", "draw"]].to_numpy().tolist() == [
        *([1, 0], [1, 1], [5, 0], [5, 1], [24, 0])
    ]
    assert (table.images == 4 * table.per_class).all()
    assert (table.low < table.val_accuracy).all()
    assert table.val_accuracy.iloc[-1] > 0.6  # chance is 0.25
    assert curve.last.mean() == pytest.approx(table.val_accuracy.iloc[-1])
    summary = curve.summary()
    assert summary.draws.tolist() == [2, 2, 1]
    assert summary["mean"].iloc[0] == pytest.approx(table.val_accuracy[:2].mean())


def test_probes_at_chance_are_not_compared() -> None:
    rng = np.random.default_rng(0)
    rates = {"chance": 0.25, "also chance": 0.25, "learnt": 0.8}
    correct: dict[Any, Any] = {
        (arm, s): rng.random(300) < rate for arm, rate in rates.items() for s in range(3)
    }
    table = features.compare(correct, {"learnt": "chance", "also chance": "chance"}, 4)
    assert table.outcome.tolist() == ["", "undecided", "yes"]
    assert np.isnan(table.p[1])


def test_drawn_images_are_nested() -> None:
    labels = np.tile(np.arange(3), 10)
    few, more = results.drawn(labels, 2, 0), results.drawn(labels, 5, 0)
    assert set(few) < set(more)
    assert np.bincount(labels[few]).tolist() == [2, 2, 2]
    assert results.drawn(labels, 5, 1).tolist() != more.tolist()


def test_figures_are_of_the_data_asked_for(made: store.Features, tiny: TinyImageNet) -> None:
    row = features.figures(made, tiny)
    assert row["val_accuracy"] > 0.6
    assert np.isnan(row["head_accuracy"])
    assert "its own output layer is not linear" in row["head_note"]
    for call in (features.figures, features.learning_curve):
        with pytest.raises(ValueError, match="another data set"):
            call(made, make_tiny(seed=1))
    with pytest.raises(ValueError, match="with at least one draw"):
        features.learning_curve(made, tiny, draws=())


def test_imagenet_rows_are_wordnet_ids() -> None:
    pytest.importorskip("timm")
    assert features.imagenet_rows(["n01440764", "n15075141", "n01443537"]).tolist() == [0, 999, 1]
    with pytest.raises(ValueError, match="class 'cat' is none of ImageNet's 1000"):
        features.imagenet_rows(["n01440764", "cat"])


def test_the_head_is_cut_to_the_classes(
    made: store.Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(1000, 512)).astype("f4"), rng.normal(size=1000).astype("f4")
    places = np.array([7, 3, 999, 0])
    monkeypatch.setattr(store.Features, "head", lambda self: (weight, bias))
    monkeypatch.setattr(imagenet, "imagenet_rows", lambda ids: places)
    found = imagenet.head_scores(made, "val", chunk=5)
    expected = made.rows("val").astype("f4") @ weight.T + bias
    np.testing.assert_allclose(found, expected[:, places], rtol=1e-4, atol=1e-4)
    monkeypatch.setattr(store.Features, "head", lambda self: (weight[:9], bias[:9]))
    with pytest.raises(ValueError, match="not of ImageNet's 1000 classes but of 9"):
        imagenet.head_scores(made, "val")


def test_without_timm_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm.data", None)
    with pytest.raises(ValueError, match="comes with timm, which is not installed: pip install"):
        features.imagenet_rows(["n01440764"])


def test_the_folder_can_be_opened_again(
    made: store.Features, tiny: TinyImageNet, tmp_path: Path
) -> None:
    again = features.open_features(made.folder, tiny)
    np.testing.assert_array_equal(again.rows("val"), made.rows("val"))
