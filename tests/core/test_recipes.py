"""Recipes: every choice checked, nothing lost on the way through JSON."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tin_lib import recipes
from tin_lib.train.schedule import lr_at

ALL = [(name, network) for name, networks in recipes.names().items() for network in networks]


@pytest.mark.parametrize(("name", "network"), ALL)
def test_recipe_survives_json(name: str, network: str) -> None:
    recipe = recipes.get(name, network)
    again = recipes.Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    assert again.network == network


def test_paper_recipes_are_the_papers() -> None:
    vgg16 = recipes.get("paper", "vgg16")
    assert (vgg16.lr, vgg16.decay, vgg16.momentum, vgg16.nesterov) == (1e-3, 1e-6, 0.9, True)
    assert (vgg16.epochs, vgg16.batch_size, vgg16.weights) == (6, 128, "imagenet")
    convnet9 = recipes.get("paper", "convnet9")
    assert (convnet9.lr, convnet9.momentum, convnet9.epochs) == (0.1, 0.0, 17)
    assert recipes.get("paper", "vgg_like").epochs == 30


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epoch": 3}, "did you mean epochs"),
        ({"lr": -1.0}, "lr=-1.0: must be positive"),
        ({"lr": "abc"}, "lr=abc: must be positive"),
        ({"epochs": 1.5}, "epochs=1.5: must be a whole number"),
        ({"epochs": True}, "epochs=True: must be a whole number"),
        ({"seed": -1}, "seed=-1: must lie between"),
        ({"clip": float("nan")}, "clip=nan: must lie between"),
        ({"width": "a"}, "width='a': must be a number"),
        ({"momentum": None}, "momentum=None: must be a number"),
        ({"flip_test": "no"}, "flip_test='no': must be true or false"),
        ({"augment": None}, "augment: must be given by their fields"),
        ({"network_options": [1]}, "augment: must be given by their fields"),
        ({"batch_size": 1}, "batch_size=1"),
        ({"schedule": "cyclic"}, "schedule='cyclic'"),
        ({"nesterov": True, "momentum": 0.0}, "momentum > 0"),
        ({"augment": {"mod": "none"}}, "no field 'mod'"),
        ({"label_smoothing": 1.5}, "label_smoothing=1.5"),
        ({"lr": True}, "lr=True: must be positive"),
        ({"weights": 5}, "weights=5: must be a path"),
        ({"weights": ""}, "weights='': must be a path"),
        ({"network_options": {"num_classes": 3}}, "num_classes is not one of a network's options"),
    ],
)
def test_bad_fields_are_refused_by_name(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipes.get("paper", "convnet9").replace(**changes)


def test_numbers_of_numpy_are_numbers() -> None:
    recipe = recipes.get("paper", "convnet9")
    given = recipe.replace(lr=np.float64(0.25), epochs=np.int64(3), momentum=np.float32(0.5))
    plain = recipe.replace(lr=0.25, epochs=3, momentum=0.5)
    assert given == plain
    assert json.dumps(given.to_dict()) == json.dumps(plain.to_dict())


def test_unknown_recipes_are_listed() -> None:
    with pytest.raises(ValueError, match="recipes: paper, quick"):
        recipes.get("papers", "vgg16")
    with pytest.raises(ValueError, match="it has convnet9"):
        recipes.get("paper", "vgg19")


def test_keras_decay() -> None:
    recipe = recipes.Recipe("convnet9", 1, lr=0.5, decay=0.1)
    assert [lr_at(recipe, t, 10) for t in (0, 1, 10)] == pytest.approx([0.5, 0.5 / 1.1, 0.25])


@settings(deadline=None)
@given(
    updates=st.integers(2, 5000),
    warmup=st.floats(0, 0.9),
    schedule=st.sampled_from(["constant", "cosine", "linear"]),
)
def test_rate_stays_between_zero_and_peak(updates: int, warmup: float, schedule: str) -> None:
    recipe = recipes.Recipe("convnet9", 1, lr=0.3, warmup=warmup, schedule=schedule)
    rates = [lr_at(recipe, t, updates) for t in range(updates)]
    assert all(0 < r <= 0.3 + 1e-12 for r in rates)
    peak = rates.index(max(rates))
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
