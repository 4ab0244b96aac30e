"""torchvision's ImageNet weights: fetched once, checked, and fitted to the conv part."""

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import vgg
from weights_toys import images

from tin_lib import networks
from tin_lib.networks import pretrained


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


def test_torchvision_weights_need_full_width(tmp_path: Path) -> None:
    torch.save(as_torchvision(torchvision_part("alexnet")), tmp_path / "alexnet.pth")
    with pytest.raises(ValueError, match=r"does not fit the conv part of alexnet at width 0\.5"):
        networks.create("alexnet", width=0.5, weights=str(tmp_path / "alexnet.pth"))
