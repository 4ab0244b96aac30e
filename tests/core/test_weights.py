"""Saved networks come back exactly; damaged and foreign files are refused by name."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from weights_toys import SMALL, images, saved

from tin_lib import networks


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("convnet9", {"variant": "code", "dropout": 0.3}),
        ("vgg_like", {"batchnorm": True}),
        ("vgg16", {"head": "gap", "batchnorm": True}),
        ("alexnet", {}),
        ("resnet18", {"blocks": (1, 1, 1, 1), "squeeze_excite": True, "drop_path": 0.1}),
    ],
)
def test_a_saved_network_comes_back_exactly(tmp_path: Path, name: str, options: dict) -> None:
    network, path = saved(tmp_path, name, **options)
    state = torch.get_rng_state()
    again = networks.load(path)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(again(images()), network(images()))
    assert not again.training
    assert all(p.requires_grad and p.device.type == "cpu" for p in again.parameters())
    assert (again.name, again.num_classes, again.width) == (name, 6, 0.1)
    assert again.options == network.options
    assert again.layers == network.layers


def test_the_header_holds_the_build_arguments_and_given_metadata(tmp_path: Path) -> None:
    _, path = saved(tmp_path, "convnet9", variant="code")
    assert networks.read_meta(path) == {
        "network": "convnet9",
        "num_classes": 6,
        "width": 0.1,
        "options": {"dropout": 1.0, "init": "glorot", "variant": "code"}
        | {"dropconnect": 0.0, "dropconnect_per": "example"},
        "origin": "random",
        "class_ids": ["n01", "n02"],
    }


def test_saving_leaves_one_whole_file(tmp_path: Path) -> None:
    network, path = saved(tmp_path)
    before = path.read_bytes()
    networks.save(network, path, class_ids=["n01", "n02"])
    assert path.read_bytes() == before
    network.name = {"not": "JSON", "but": {1, 2}}
    with pytest.raises(TypeError):
        networks.save(network, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_loaded_network_can_be_trained_on(tmp_path: Path) -> None:
    _, path = saved(tmp_path, "convnet9")
    before, network = path.read_bytes(), networks.load(path).train()
    network(images()).sum().backward()
    torch.optim.SGD(network.parameters(), 0.1).step()
    assert path.read_bytes() == before
    assert not torch.equal(network.features[0].weight, networks.load(path).features[0].weight)


def test_float16_weights_are_read_as_float32(tmp_path: Path) -> None:
    network, path = saved(tmp_path, batchnorm=True)
    networks.save(network.half(), path)
    assert load_file(path)["features.0.weight"].dtype == torch.float16
    again, state = networks.load(path), network.float().state_dict()
    assert {v.dtype for v in again.state_dict().values()} == {torch.float32, torch.int64}
    assert all(torch.equal(v, state[k]) for k, v in again.state_dict().items())
    assert torch.equal(again(images()), network(images()))
    started = networks.create("vgg_like", **SMALL, batchnorm=True, weights=str(path)).eval()
    assert torch.equal(started(images()), network(images()))


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    for call in (networks.load, networks.read_meta):
        with pytest.raises(FileNotFoundError, match=r"none\.safetensors does not exist; train"):
            call(tmp_path / "none.safetensors")


def foreign_files(folder: Path) -> Iterator[Path]:
    values = {
        "empty": b"",
        "text": b"no weights at all",
        "pickle": pickle.dumps({"weight": 1}),
        "huge": b"\xff" * 64,
    }
    for name, content in values.items():
        (folder / name).write_bytes(content)
        yield folder / name
    for name, header in {
        "theirs": None,
        "list": "[]",
        "broken": "{",
        "lacking": json.dumps({"network": "vgg16"}),
        "typed": json.dumps({"network": 1, "num_classes": "a", "width": None, "options": []}),
    }.items():
        save_file({"weight": torch.zeros(2)}, folder / name, header and {"tin": header})
        yield folder / name


def test_foreign_files_are_refused_by_name(tmp_path: Path) -> None:
    for path in foreign_files(tmp_path):
        for call in (networks.load, networks.read_meta):
            with pytest.raises(ValueError, match=f"{path.name} is not a network saved by tin_lib"):
                call(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "vgg19"}, "no network 'vgg19'"),
        ({"num_classes": 9}, "size mismatch"),
        ({"options": {"variant": "keras"}}, "variant='keras'"),
        ({"options": {"colour": 1}}, "vgg_like: .*'colour'; options: dropout"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    _, path = saved(tmp_path)
    header = networks.read_meta(path) | change
    save_file(load_file(path), path, {"tin": json.dumps(header)})
    with pytest.raises(
        ValueError, match=rf"{path.name}: its network cannot be rebuilt: .*{message}"
    ):
        networks.load(path)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 0.9999), position=st.integers(0, 1500), byte=st.integers(0, 255))
def test_damaged_files_give_one_kind_of_error(
    tmp_path: Path, share: float, position: int, byte: int
) -> None:
    _, path = saved(tmp_path)
    whole = path.read_bytes()
    cut = tmp_path / "cut"
    cut.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match="cut is not a network saved by tin_lib"):
        networks.load(cut)
    changed = tmp_path / "changed"
    changed.write_bytes(whole[:position] + bytes([byte]) + whole[position + 1 :])
    message = ""
    try:
        networks.load(changed)
    except ValueError as error:
        message = str(error)
    assert not message or "changed" in message


def test_saved_tensors_are_plain(tmp_path: Path) -> None:
    network, path = saved(tmp_path)
    network.to(memory_format=torch.channels_last)
    networks.save(network, path)
    assert all(value.is_contiguous() for value in load_file(path).values())
    assert torch.equal(networks.load(path).features[2].weight, network.features[2].weight)
