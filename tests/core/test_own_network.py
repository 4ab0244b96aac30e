"""A network of the user's own: one file and no edit."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from network_toys import build, images
from safetensors.torch import load_file, save_file
from torch import nn

from tin_lib import catalog, networks, recipes, train
from tin_lib.analysis import filters, layers, runs, saliency
from tin_lib.analysis.layer_table import layer_table
from tin_lib.analysis.reinitialised import reinitialised
from tin_lib.data import TinyImageNet
from tin_lib.networks import registry

SOURCE = '''
"""A separable-convolution network."""
import torch
from torch import nn


def block(inputs, outputs, stride):
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def build(num_classes, width=1.0, blocks=2):
    """Stem, blocks, mean, dense layer."""
    count = max(4, round(16 * width))
    stem = [nn.Conv2d(3, count, 3, 2, 1), nn.ReLU()]
    rest = [block(count, count, 2) for _ in range(blocks)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(count, num_classes)]
    return nn.Sequential(*stem, *rest, *head)
'''


pytestmark = pytest.mark.usefixtures("own_registry")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """The module file of a user."""
    path = tmp_path / "separable.py"
    path.write_text(SOURCE)
    yield path
    for name in ("tin_networks_separable", "separable"):
        sys.modules.pop(name, None)


# --- registering


def test_a_registered_network_has_title_options_and_width() -> None:
    networks.register("mine", build, title="My network")
    assert (catalog.title("mine"), networks.names()[-1]) == ("My network", "mine")
    assert networks.options("mine") == {"depth": 2}
    network = networks.create("mine", 5, 0.5, depth=3)
    assert (network.name, network.num_classes, network.width) == ("mine", 5, 0.5)
    assert network.options == {"depth": 3}
    assert list(network.layers) == ["0", "2", "4", "7"]
    assert filters.conv_layers(network) == ["0", "2", "4"]
    assert [filters.filter_count(network, name) for name in network.layers] == [4, 4, 4, 5]
    networks.register("mine", lambda n: build(n), title="Again")  # as when a cell runs again
    assert (catalog.title("mine"), networks.options("mine")) == ("Again", {})


@pytest.mark.parametrize(
    ("make", "given", "message"),
    [
        (build, {"dept": 3}, "mine: .*unexpected .*'dept'; options: depth"),
        (lambda n: build(n), {"depth": 3}, "unexpected .*'depth'; options: none"),
        (lambda n: build(n), {"width": 0.5}, "width=0.5: mine has no parameter width"),
        (lambda n, depth: build(n), {}, "mine: missing .*'depth'; options: depth"),
        (lambda n, **other: build(n), {"a": {1}}, r"option a=\{1\} must be a JSON value"),
        (lambda n: 5, {}, "build returns int; must return an nn.Module"),
        (lambda n: 1 / 0, {}, "network 'mine': ZeroDivisionError"),
        (lambda n: build(n + 1), {}, r"gives \(2, 6\) for 2 images; must give scores \(2, 5\)"),
        (lambda n: nn.LSTM(64, n), {}, "forward pass fails on images .N, 3, 64, 64.: ValueError"),
        (lambda n: nn.Linear(7, n), {}, "forward pass fails on images .N, 3, 64, 64.: Runtime"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_message(make, given, message) -> None:
    networks.register("mine", make)
    with pytest.raises(ValueError, match=message):
        networks.create("mine", 5, **given)


def test_any_option_may_be_accepted_and_no_width_given() -> None:
    seen: list[dict] = []
    networks.register("mine", lambda n, **given: seen.append(given) or build(n))
    assert networks.create("mine", 5, colour="red").options == {"colour": "red"}
    assert seen == [{"colour": "red"}]
    assert recipes.get("quick", "mine").width == 1


@pytest.mark.parametrize("name", ["vgg16", "a/b", "a:b", "", ".hidden"])
def test_names_that_cannot_be_registered(name: str) -> None:
    with pytest.raises(ValueError, match="choose letters"):
        networks.register(name, build)


# --- weights files never import


def test_loading_weights_never_imports_what_they_name(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    networks.register("mine", build)
    networks.save(networks.create("mine", 5), "weights.safetensors")
    (tmp_path / "evil.py").write_text("raise SystemExit('it was imported')")
    for name in ("evil:build", "evil.py:build", f"{tmp_path}/evil.py:build"):
        header = networks.read_meta("weights.safetensors") | {"network": name}
        save_file(
            load_file("weights.safetensors"), "other.safetensors", {"tin": json.dumps(header)}
        )
        with pytest.raises(ValueError, match=r"other.*networks\.trust\(.*or set TIN_NETWORKS="):
            networks.load("other.safetensors")
        with pytest.raises(ValueError, match="no network"):
            recipes.get("quick", name)
    assert "evil" not in sys.modules


@pytest.mark.parametrize("option", ["weights", "pretrained", "weights_backbone"])
def test_libraries_never_read_weights(option: str) -> None:
    if option != "weights":  # which is create's own
        with pytest.raises(ValueError, match=f"option '{option}': give starting weights as"):
            networks.create("torchvision:resnet18", 5, **{option: "DEFAULT"})
    with pytest.raises(ValueError, match=f"option '{option}'"):
        registry.build("torchvision:resnet18", 5, 1.0, {option: "DEFAULT"})


def test_trusting_a_file_makes_it_known_here_and_to_child_processes(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    assert networks.trust("torchvision:resnet18") == "torchvision:resnet18"
    assert networks.trust("vgg16") == "vgg16"
    assert networks.trust("separable.py:build") == "separable.py:build"
    assert networks.options("anywhere/separable.py:build") == {"blocks": 2}
    assert networks.trust("separable:build") == "separable:build"
    entries = os.environ["TIN_NETWORKS"].split(",")
    assert entries == [f"{file.parent}/separable:build", f"{file}:build"]
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(registry, "_imported", set())
    monkeypatch.chdir("/")
    assert len(networks.create("separable:build", 5, blocks=3).layers) == 1 + 3 * 2 + 1


def test_a_changed_function_is_another_network(
    file: Path, tiny: TinyImageNet, tmp_path: Path
) -> None:
    """Its fit is not mistaken for that of the earlier function."""
    first = networks.build_digest(networks.trust(f"{file}:build"))
    recipe = recipes.get("quick", "separable.py:build", epochs=1)
    train.fit(recipe, tiny, tmp_path / "net", progress=None)
    weights = (tmp_path / "net" / "weights.safetensors").read_bytes()
    train.fit(recipe, tiny, tmp_path / "net", progress=None)
    assert not (tmp_path / ".previous").exists()
    file.write_text(SOURCE.replace("16 * width", "24 * width"))
    assert networks.build_digest(networks.trust(f"{file}:build")) != first
    again = train.fit(recipe, tiny, tmp_path / "net", progress=None)
    assert (tmp_path / "net" / "weights.safetensors").read_bytes() != weights
    assert again.network()(images()).shape == (3, 4)
    assert len(list((tmp_path / ".previous").iterdir())) == 1
    assert networks.build_digest("vgg16") == networks.build_digest("torchvision:resnet18") == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("separable.py:make", "has no attribute 'make'"),
        ("separable.py:nn.Linear", "has no attribute"),
        ("nowhere.py:build", "FileNotFoundError"),
        ("no_such_module:build", "ModuleNotFoundError"),
        ("separable.py:__doc__", "__doc__ is not a function"),
    ],
)
def test_what_cannot_be_imported_says_so(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(file.parent)
    with pytest.raises(ValueError, match=rf"network .*{name}: .*{message}"):
        networks.trust(name)


# --- trained, loaded, explained and browsed like the built-in ones

FRESH = """
import sys, torch
from tin_lib.analysis import runs
run = runs.open_run(sys.argv[1])
for fit in run.fits.values():
    print(fit.name, float(fit.network()(torch.ones(1, 3, 64, 64)).sum()))
"""


def check_fit(fit: runs.Fit, tiny: TinyImageNet) -> None:
    """The trained network explains and shows its filters."""
    network, batch = fit.network(), images(2)
    for method in ("gradient", "grad_cam"):
        maps = saliency.explain(network, batch, method)
        assert maps.shape == batch.shape
        assert maps.isfinite().all()
    shown = filters.images_of_split(tiny.val, fit.mean, fit.std, 8)
    found = filters.survey(network, "last", shown, top=2)
    assert found.value.shape == (filters.filter_count(network, "last"), 2)
    table = layer_table(network)
    assert table["parameters"].sum() == fit.summary["parameters"]
    reset = reinitialised(network, 0.5)
    first, *_, last = network.layers
    assert torch.equal(layers.weight(reset, first), layers.weight(network, first))
    assert not torch.equal(layers.weight(reset, last), layers.weight(network, last))


def test_the_fifth_network(
    file: Path, tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file and no edit; together with a network of torchvision and one of the paper's."""
    names = [networks.trust(f"{file}:build"), "torchvision:mobilenet_v3_small", "vgg_like"]
    run = tmp_path / "run"
    for name in names:
        recipe = recipes.get("quick", name, epochs=1, width=None if ":mob" in name else 0.25)
        folder = run / "networks" / catalog.folder_name(name)
        fit = train.fit(recipe, tiny, folder, device="cpu", progress=None)
        assert fit.meta["network"] == name
        check_fit(fit, tiny)
    opened = runs.open_run(run)
    assert list(opened.fits) == ["vgg_like", "separable.py_build", "torchvision_mobilenet_v3_small"]
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(run)],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},  # TIN_NETWORKS is set by trust
    )
    accuracies = dict(line.split() for line in done.stdout.splitlines())
    for name, fit in opened.fits.items():
        expected = fit.network()(torch.ones(1, 3, 64, 64)).sum().item()
        assert float(accuracies[name]) == pytest.approx(expected, abs=1e-4)


def test_tin_train_takes_a_file(file: Path, tmp_path: Path) -> None:
    name = "separable.py:build"
    command = f"train {name} --recipe quick --classes 2 --per-class 6 --set epochs=1 --out fit"
    done = subprocess.run(
        [sys.executable, "-m", "tin_lib", *command.split()],
        capture_output=True,
        text=True,
        cwd=file.parent,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr
    assert networks.read_meta(tmp_path / "fit" / "weights.safetensors")["network"] == name
