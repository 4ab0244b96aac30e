"""Saved networks come back exactly; starting weights fit or are refused by name."""

import fractions
import functools
import hashlib
import http.server
import json
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torchvision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.models import vgg

from tin_lib import networks, recipes
from tin_lib.data import TinyImageNet
from tin_lib.networks import pretrained
from tin_lib.train.fit import check

SMALL = {"num_classes": 6, "width": 0.1}


def images() -> Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def saved(folder: Path, name: str = "vgg_like", **options: object) -> tuple[networks.Network, Path]:
    """A network with unusual batchnorm statistics, and the file that holds it."""
    network = networks.create(name, **SMALL, **options)
    network(images())  # moves running means
    path = folder / "weights.safetensors"
    networks.save(network, path, class_ids=["n01", "n02"])
    return network.eval(), path


# --- saving and loading


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


# --- files that are missing, foreign or damaged


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


# --- starting from a checkpoint of ours


@pytest.mark.parametrize("as_folder", [False, True])
def test_start_from_ours(tmp_path: Path, as_folder: bool) -> None:
    network, path = saved(tmp_path, "convnet9")
    given = tmp_path if as_folder else path
    again = networks.create("convnet9", **SMALL, weights=str(given)).eval()
    assert torch.equal(again(images()), network(images()))
    assert again.origin == str(path)


@pytest.mark.parametrize("name", networks.names())
def test_another_number_of_classes_keeps_all_but_the_output_layer(
    tmp_path: Path, name: str
) -> None:
    network, path = saved(tmp_path, name)
    torch.manual_seed(3)
    fresh = networks.create(name, 9, 0.1)
    torch.manual_seed(3)
    again = networks.create(name, 9, 0.1, weights=str(path))
    last = list(again.layers.values())[-1].weight
    for key, value in again.state_dict().items():
        source = fresh if key.startswith(last) else network
        assert torch.equal(value, source.state_dict()[key]), key
    assert again.origin == f"{path} (of 6 classes; output layer random)"
    networks.save(again, path)
    assert networks.load(path).origin == again.origin


@pytest.mark.parametrize(
    ("name", "width", "options", "message"),
    [
        ("vgg16", 0.1, {}, "holds vgg_like at width 0.1, not vgg16 at width 0.1"),
        ("vgg_like", 0.2, {}, "holds vgg_like at width 0.1, not vgg_like at width 0.2"),
        ("vgg_like", 0.1, {"batchnorm": True}, "made with .*'batchnorm': False.*batchnorm=True"),
    ],
)
def test_unfit_checkpoints_are_refused(
    tmp_path: Path, name: str, width: float, options: dict, message: str
) -> None:
    _, path = saved(tmp_path)
    with pytest.raises(ValueError, match=rf"{path.name}.*{message}"):
        networks.create(name, 6, width, weights=str(path), **options)


def test_dropout_and_variants_may_differ_from_the_checkpoints(tmp_path: Path) -> None:
    network, path = saved(tmp_path, "convnet9")
    again = networks.create("convnet9", **SMALL, weights=str(path), variant="code", dropout=0)
    assert torch.equal(again.eval()(images()), network(images()))


def test_missing_weights_are_named(tmp_path: Path) -> None:
    for name in ("none.safetensors", "none.pth"):
        with pytest.raises(FileNotFoundError, match=name):
            networks.create("vgg_like", weights=str(tmp_path / name))


# --- torchvision's weights


def as_torchvision(features: nn.Module) -> dict[str, Tensor]:
    """A state dict such as torchvision's, with one dense layer."""
    state = {f"features.{key}": value for key, value in features.state_dict().items()}
    return state | {"classifier.0.weight": torch.zeros(1000, 2)}


@functools.cache
def torchvision_part(name: str) -> nn.Module:
    """The conv part of torchvision's network, without building its large dense layers."""
    torch.manual_seed(5)
    if name.startswith("vgg16"):
        return vgg.make_layers(vgg.cfgs["D"], batch_norm=name == "vgg16_bn").eval()
    with torch.device("meta"):
        features = torchvision.models.alexnet().features
    features.to_empty(device="cpu")
    features.apply(lambda m: m.reset_parameters() if isinstance(m, nn.Conv2d) else None)
    return features


@pytest.mark.parametrize("batchnorm", [False, True])
def test_vgg16s_conv_part_is_torchvisions(batchnorm: bool) -> None:
    theirs = torchvision_part("vgg16_bn" if batchnorm else "vgg16")
    ours = networks.create("vgg16", batchnorm=batchnorm, head="gap").features.eval()
    assert ours.load_state_dict(theirs.state_dict()).missing_keys == []
    assert torch.equal(ours(images()), theirs(images()))
    assert theirs.load_state_dict(ours.state_dict()).missing_keys == []


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch.hub cache; its checkpoints folder."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder served on 127.0.0.1 that holds AlexNet's weights, and their address."""
    folder = tmp_path / "site"
    folder.mkdir()
    torch.save(as_torchvision(torchvision_part("alexnet")), folder / "weights.pth")
    digest = hashlib.sha256((folder / "weights.pth").read_bytes()).hexdigest()
    file = (folder / "weights.pth").rename(folder / f"alexnet-{digest[:8]}.pth")
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{file.name}"
        monkeypatch.setitem(pretrained.IMAGENET, ("alexnet", False), url)
        yield file, url
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def check_conv_part(network: networks.Network) -> None:
    """torchvision's convolutions, and Glorot's dense layers."""
    theirs = torchvision_part(network.name).state_dict()
    assert all(torch.equal(v, theirs[k]) for k, v in network.features.state_dict().items())
    dense = network.get_submodule(network.layers["dense1"].weight).weight
    assert 0 < dense.abs().max() <= (6 / sum(dense.shape)) ** 0.5


def test_imagenet_weights_are_fetched_once(site: tuple[Path, str], hub: Path) -> None:
    file, _ = site
    network = networks.create("alexnet", 5, weights="imagenet")
    check_conv_part(network)
    assert network.origin == "ImageNet weights (conv part; dense layers random)"
    file.unlink()  # from now on the cache must do
    check_conv_part(networks.create("alexnet", 5, weights="imagenet"))
    assert [p.name for p in hub.iterdir()] == [file.name]


def test_imagenet_weights_with_a_wrong_hash_are_refused(site: tuple[Path, str], hub: Path) -> None:
    content = site[0].read_bytes()
    site[0].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match=r"could not be fetched \(invalid hash value"):
        networks.create("alexnet", weights="imagenet")
    assert list(hub.iterdir()) == []


def test_no_network_says_what_to_do(
    site: tuple[Path, str], hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = "http://127.0.0.1:9/alexnet-00000000.pth"  # the discard port: nothing listens
    monkeypatch.setitem(pretrained.IMAGENET, ("alexnet", False), nowhere)
    with pytest.raises(ValueError, match=f"{nowhere} could not be fetched.*put it into {hub}"):
        networks.create("alexnet", weights="imagenet")


def test_imagenet_weights_of_vgg16_from_a_file_or_the_cache(tmp_path: Path, hub: Path) -> None:
    file = tmp_path / "vgg16.pth"
    torch.save(as_torchvision(torchvision_part("vgg16")), file)
    network = networks.create("vgg16", 5, weights=str(file))
    check_conv_part(network)
    assert network.origin == f"{file} (conv part; dense layers random)"
    hub.mkdir(parents=True)
    file.rename(hub / Path(pretrained.IMAGENET["vgg16", False]).name)
    check_conv_part(networks.create("vgg16", 5, weights="imagenet"))


@pytest.mark.parametrize(
    ("name", "options"),
    [("convnet9", {}), ("vgg16", {"width": 0.5}), ("alexnet", {"batchnorm": True})],
)
def test_imagenet_weights_are_refused_where_there_are_none(name: str, options: dict) -> None:
    with pytest.raises(ValueError, match=f"vgg16, and for alexnet .*at width 1; not for {name} at"):
        networks.create(name, weights="imagenet", **options)


class Hostile:
    """Unpickling it would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return Path.touch, (self.target,)


def test_bad_pth_files_are_refused_and_never_run(tmp_path: Path) -> None:
    path, target = tmp_path / "bad.pth", tmp_path / "was run"
    for content in (Hostile(target), {1: torch.zeros(1)}, [torch.zeros(1)], {"features.0": 1}):
        torch.save(content, path)
        with pytest.raises(ValueError, match=r"weights: .*bad\.pth"):
            networks.create("alexnet", width=0.1, weights=str(path))
    path.write_bytes(b"torn")
    with pytest.raises(ValueError, match=r"bad\.pth is damaged or not a file of weights"):
        networks.create("alexnet", width=0.1, weights=str(path))
    assert not target.exists()


def test_torchvision_weights_need_full_width(tmp_path: Path) -> None:
    torch.save(as_torchvision(torchvision_part("alexnet")), tmp_path / "alexnet.pth")
    with pytest.raises(ValueError, match=r"does not fit the conv part of alexnet at width 0\.5"):
        networks.create("alexnet", width=0.5, weights=str(tmp_path / "alexnet.pth"))


def test_saved_tensors_are_plain(tmp_path: Path) -> None:
    network, path = saved(tmp_path)
    network.to(memory_format=torch.channels_last)
    networks.save(network, path)
    assert all(value.is_contiguous() for value in load_file(path).values())
    assert torch.equal(networks.load(path).features[2].weight, network.features[2].weight)


# --- what training scripts of others save


def checkpoints(folder: Path, plain: dict[str, Tensor]) -> dict[str, Path]:
    """The same state dict in the ways in which it is commonly saved."""
    contents = {
        "wrapped.pth": {"state_dict": plain, "epoch": 3},
        "model_key.pt": {"model": plain, "epoch": 3},
        "parallel.pth": {f"module.{k}": v for k, v in plain.items()},
        "compiled.pth": {f"module._orig_mod.{k}": v for k, v in plain.items()},
        "lightning.ckpt": {"state_dict": {f"model.{k}": v for k, v in plain.items()}},
        "best.pth.tar": plain,
    }
    for name, content in contents.items():
        torch.save(content, folder / name)
    save_file(plain, folder / "theirs.safetensors")
    return {name: folder / name for name in [*contents, "theirs.safetensors"]}


def test_common_forms_of_state_dicts_are_read(tmp_path: Path) -> None:
    theirs = networks.create("vgg16", 3, 0.1)
    plain = {f"features.{k}": v for k, v in theirs.features.state_dict().items()}
    for path in checkpoints(tmp_path, plain).values():
        network = networks.create("vgg16", 3, 0.1, weights=str(path))
        state = network.features.state_dict()
        assert all(torch.equal(v, state[k.removeprefix("features.")]) for k, v in plain.items())
        assert network.origin == f"{path} (conv part; dense layers random)"


def test_objects_stored_with_the_weights_are_named_as_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "args.pth"
    torch.save({"state_dict": {}, "args": fractions.Fraction(1, 10)}, path)
    with pytest.raises(ValueError, match=r"args\.pth holds fractions\.Fraction.* may run any code"):
        networks.create("alexnet", width=0.1, weights=str(path))


def test_imagenet_is_a_keyword_and_no_path(
    tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check(recipes.get("paper", "vgg16"), tiny, tmp_path)  # tin train vgg16 --recipe paper --out .
    (tmp_path / "imagenet").mkdir()
    for weights in ("imagenet", None):
        assert pretrained.weights_file(weights) is None
        assert pretrained.weights_digest(weights) == ""
    assert pretrained.weights_file("./imagenet") == Path("imagenet/weights.safetensors")
    assert pretrained.weights_digest("other.pth") is None
