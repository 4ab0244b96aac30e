"""Recipes: every choice checked, nothing lost on the way through JSON."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tin_lib import networks, recipes
from tin_lib.train.optim import lr_at

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
        ({"lr": -1.0}, "lr=-1.0: must lie between"),
        ({"lr": "abc"}, "lr='abc': must be a number"),
        ({"lr": None}, "lr=None: must be a number"),
        ({"epochs": "3.5"}, "epochs=3.5: must be a whole number"),
        ({"batch_size": [8]}, r"batch_size=\[8\]: must be a whole number"),
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
        ({"lr": True}, "lr=True: must be a number"),
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
    with pytest.raises(ValueError, match="no network 'vgg19'; networks: convnet9, vgg_like"):
        recipes.get("paper", "vgg19")


@pytest.mark.parametrize("name", recipes.names())
def test_every_network_has_every_recipe(name: str) -> None:
    """One without its own takes the default: from random weights, without options of others."""
    assert networks.names() == ["convnet9", "vgg_like", "vgg16", "alexnet", "resnet18", "speednet"]
    for network in (*networks.names(), "torchvision:mobilenet_v3_small"):
        recipe = recipes.get(name, network, epochs=2)
        assert (recipe.network, recipe.epochs) == (network, 2)
        if network not in recipes.names()[name]:
            assert (recipe.weights, recipe.network_options, recipe.penalties) == (None, {}, "none")
            assert recipe.width == 1 or network in networks.names()


def test_numbers_of_tables_and_yaml_are_numbers() -> None:
    """pandas makes whole numbers floats, and YAML 1.1 reads 1e-3 as text."""
    recipe = recipes.get("paper", "convnet9").replace(epochs=3.0, lr="1e-3", seed="5", width="1")
    assert (recipe.epochs, recipe.lr, recipe.seed, recipe.width) == (3, 1e-3, 5, 1)
    assert recipe.to_dict()["epochs"] == 3
    assert isinstance(recipe.epochs, int)


def test_keras_decay() -> None:
    recipe = recipes.Recipe("convnet9", 1, lr=0.5, decay=0.1)
    assert [lr_at(recipe, t, 10) for t in (0, 1, 10)] == pytest.approx([0.5, 0.5 / 1.1, 0.25])


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
@pytest.mark.parametrize(("updates", "warmup"), [(2, 0.0), (10, 0.0), (10, 0.33), (5000, 0.1)])
def test_schedules_begin_at_the_peak_and_end_at_zero(
    schedule: str, updates: int, warmup: float
) -> None:
    recipe = recipes.Recipe("convnet9", 1, lr=0.3, warmup=warmup, schedule=schedule)
    rates = [lr_at(recipe, t, updates) for t in range(updates)]
    assert max(rates) == 0.3
    assert rates[-1] == 0.0
    assert min(rates[:-1]) > 0.0
    constant = recipe.replace(schedule="constant", warmup=0.0)
    assert {lr_at(constant, t, updates) for t in range(updates)} == {0.3}


@settings(deadline=None)
@given(
    updates=st.integers(2, 5000),
    warmup=st.floats(0, 0.9),
    schedule=st.sampled_from(["constant", "cosine", "linear"]),
)
def test_rate_stays_between_zero_and_peak(updates: int, warmup: float, schedule: str) -> None:
    recipe = recipes.Recipe("convnet9", 1, lr=0.3, warmup=warmup, schedule=schedule)
    rates = [lr_at(recipe, t, updates) for t in range(updates)]
    assert all(0 < r <= 0.3 + 1e-12 for r in rates[:-1])
    assert 0 <= rates[-1] <= 0.3 + 1e-12
    peak = rates.index(max(rates))
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
