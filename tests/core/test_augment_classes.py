"""Which techniques are used, and how the copies are divided among the classes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_data import make_tiny

from tin_lib import train
from tin_lib.augment import Augmenter, AugmentSpec, Technique, expansion_plan
from tin_lib.recipes import Recipe

NAMES = ("mirror", "upside_down", "crop", "contrast", "tint")
LABELS = np.repeat(np.arange(4), [10, 20, 5, 25])


def copies(spec: AugmentSpec, labels: np.ndarray = LABELS, seed: int = 1) -> torch.Tensor:
    """Sorted (image, technique) rows of an epoch, without the originals."""
    plan = Augmenter(spec, len(labels), seed, labels).epoch(0)
    rows = torch.stack([plan.image, plan.technique], dim=1)
    return rows[plan.technique != Technique.NONE].unique(dim=0, return_counts=False)


def per_class(spec: AugmentSpec, technique: Technique) -> list[int]:
    """How many copies of each class a technique makes."""
    plan = Augmenter(spec, len(LABELS), 1, LABELS).epoch(0)
    chosen = plan.image[plan.technique == technique]
    return np.bincount(LABELS[chosen], minlength=4).tolist()


# --- techniques -----------------------------------------------------------------------------


def test_all_five_are_used_by_default():
    assert AugmentSpec().techniques == NAMES


@pytest.mark.parametrize(
    "wrong", [(), ("mirror", "mirror"), ("rotate",), "mirror", None, (1,), (["mirror"],)]
)
def test_wrong_techniques_are_named(wrong):
    with pytest.raises(ValueError, match="techniques"):
        AugmentSpec("paper_copies", techniques=wrong)


def test_techniques_from_json_in_another_order_are_the_same_setting():
    spec = AugmentSpec("paper_copies", techniques=["tint", "mirror"])
    assert spec == AugmentSpec("paper_copies", techniques=("mirror", "tint"))
    recipe = Recipe("convnet9", epochs=1, lr=0.1, augment=spec)
    assert Recipe.from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize("used", [("mirror",), ("crop", "tint"), NAMES[1:]])
def test_copies_of_the_techniques_used_stay_the_same_and_the_others_are_gone(used):
    everything = Augmenter(AugmentSpec("paper_copies"), 90, seed=3)._copies
    some = Augmenter(AugmentSpec("paper_copies", techniques=used), 90, seed=3)
    kept = [t for t in Technique if t == Technique.NONE or t.name.lower() in used]
    expected = everything[torch.isin(everything.technique, torch.tensor(kept))]
    assert some.items() == 90 + 30 * len(used) == len(some.epoch(1))
    for name, tensor in expected._tensors().items():
        assert torch.equal(tensor, some._copies._tensors()[name])


def test_fresh_draws_only_the_techniques_used_in_the_shares_of_the_copies():
    spec = AugmentSpec("paper_fresh", techniques=("crop", "tint"))
    technique = Augmenter(spec, 20_000, seed=1).epoch(0).technique
    shares = torch.bincount(technique, minlength=6) / 20_000
    expected = torch.tensor([3.0, 0, 0, 1, 0, 1]) / 5
    torch.testing.assert_close(shares, expected, atol=0.012, rtol=0)
    assert not shares[[1, 2, 4]].any()


# --- classes --------------------------------------------------------------------------------


def test_copies_are_divided_in_proportion_to_the_shares():
    spec = AugmentSpec("paper_copies", class_shares=(1, 2, 0, 1))
    for technique in list(Technique)[1:]:
        assert per_class(spec, technique) == [5, 10, 0, 5]  # of 20 copies


@given(
    st.lists(st.floats(0, 1e6), min_size=4, max_size=4).filter(any),
    st.floats(0, 1),
    st.integers(0, 1000),
)
@settings(deadline=None, max_examples=50)
def test_the_number_of_copies_is_that_of_the_plain_expansion(shares, fraction, seed):
    image, technique = expansion_plan(60, fraction, seed, tuple(shares), LABELS)
    plain, plain_technique = expansion_plan(60, fraction, seed)
    assert len(image) == len(plain)
    assert torch.equal(technique, plain_technique)
    wanted = np.array(shares) / sum(shares) * int(fraction * 60 + 1e-6)
    for kind in list(Technique)[1:]:
        copied = image[technique == kind].numpy()  # as a tensor, one row would be a scalar index
        got = np.bincount(LABELS[copied], minlength=4)
        assert (abs(got - wanted) < 1 + 1e-6).all()


def test_images_of_a_class_are_copied_again_only_when_all_of_them_are():
    image, technique = expansion_plan(60, 1.0, 0, (0, 1, 3, 2), LABELS)
    for kind in list(Technique)[1:]:
        times = np.bincount(image[technique == kind], minlength=60)
        for label, each in enumerate((0, 10, 30, 20)):
            own = times[label == LABELS]
            assert own.sum() == each
            assert own.max() - own.min() <= 1


def test_techniques_copy_different_images_of_a_class_and_the_order_is_random():
    image, technique = expansion_plan(60, 1 / 3, 0, (1, 1, 1, 1), LABELS)
    chosen = [set(image[technique == kind].tolist()) for kind in list(Technique)[1:]]
    assert len(set(map(frozenset, chosen))) == 5


def test_the_shares_do_not_depend_on_their_scale():
    one = copies(AugmentSpec("paper_copies", class_shares=(1, 2, 3, 4)))
    ten = copies(AugmentSpec("paper_copies", class_shares=[10, 20, 30, 40]))
    other = copies(AugmentSpec("paper_copies", class_shares=(4, 3, 2, 1)))
    assert torch.equal(one, ten)
    assert not torch.equal(one, other)


def test_labels_without_shares_change_nothing():
    plain = Augmenter(AugmentSpec("paper_copies"), 60, 1).epoch(0)
    labelled = Augmenter(AugmentSpec("paper_copies"), 60, 1, LABELS).epoch(0)
    assert torch.equal(plain.image, labelled.image)
    assert torch.equal(plain.technique, labelled.technique)


@pytest.mark.parametrize(
    ("mode", "shares"),
    [
        ("paper_fresh", (1.0, 2.0)),
        ("paper_copies", ()),
        ("paper_copies", (0.0, 0.0)),
        ("paper_copies", (1.0, -1.0)),
        ("paper_copies", (1.0, float("nan"))),
        ("paper_copies", (1.0, float("inf"))),
        ("paper_copies", ("a",)),
        ("paper_copies", "ab"),
    ],
)
def test_wrong_shares_are_named(mode, shares):
    with pytest.raises(ValueError, match="class_shares"):
        AugmentSpec(mode, class_shares=shares)


@pytest.mark.parametrize("labels", [None, LABELS + 1, np.where(LABELS == 2, 1, LABELS)])
def test_shares_need_a_number_for_each_class(labels):
    spec = AugmentSpec("paper_copies", class_shares=(1, 1, 1, 1))
    with pytest.raises(ValueError, match="class_shares has 4 numbers"):
        Augmenter(spec, 60, 1, labels)


def test_shares_of_other_classes_are_refused_before_training(tmp_path):
    spec = AugmentSpec("paper_copies", class_shares=(1, 1, 1))
    recipe = Recipe("convnet9", epochs=1, lr=0.01, width=0.05, batch_size=8, augment=spec)
    with pytest.raises(ValueError, match="class_shares has 3 numbers"):
        train.fit(recipe, make_tiny(), tmp_path / "fit", device="cpu", progress=None)
    assert not (tmp_path / "fit").exists()


def test_a_fit_with_shares_finishes(tmp_path):
    spec = AugmentSpec("paper_copies", class_shares=(4, 0, 1, 1))
    recipe = Recipe("convnet9", epochs=1, lr=0.01, width=0.05, augment=spec)
    fit = train.fit(recipe, make_tiny(per_class=6), tmp_path / "fit", device="cpu", progress=None)
    assert fit.recipe["augment"]["class_shares"] == [4, 0, 1, 1]
    assert fit.summary["epochs"] == 1
