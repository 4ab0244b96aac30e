"""Files of strangers that would run code where they are unpickled: none runs, each is refused."""

import builtins
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tin_lib import files, networks, train
from tin_lib.analysis import features, runs
from tin_lib.analysis.filters import images_of_split
from tin_lib.analysis.filters.store import FilterStore
from tin_lib.analysis.saliency.store import MapStore
from tin_lib.data import TinyImageNet, open_data
from tin_lib.networks.pretrained import read_state_dict
from tin_lib.recipes import Recipe


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path):
        self.marker = str(marker)

    def __reduce__(self) -> tuple:
        return builtins.open, (self.marker, "w")


def plain(payload: Payload, path: Path) -> None:
    path.write_bytes(pickle.dumps({"state_dict": payload}))


def of_torch(payload: Payload, path: Path) -> None:
    torch.save({"network": payload, "epoch": 1}, path)


def of_old_torch(payload: Payload, path: Path) -> None:
    torch.save({"model": payload}, path, _use_new_zipfile_serialization=False)


def of_numpy(payload: Payload, path: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, np.array([payload], object), allow_pickle=True)


def archive_of_numpy(payload: Payload, path: Path) -> None:
    with open(path, "wb") as file:
        np.savez(file, labels=np.array([payload], object), files=np.array([payload], object))


FORMS = (plain, of_torch, of_old_torch, of_numpy, archive_of_numpy)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "the payload ran"


def test_the_payload_works(marker: Path) -> None:
    """Else the tests below could not fail."""
    pickle.loads(pickle.dumps(Payload(marker))).close()  # noqa: S301
    assert marker.exists()


def refused(call: Callable, path: Path, marker: Path) -> None:
    """One line that names the file, and the payload did not run."""
    with pytest.raises(ValueError) as caught:
        call()
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 4  # of which three say how to convert it
    assert not marker.exists()


@pytest.fixture
def fit(run: runs.Run, tmp_path: Path) -> runs.Fit:
    """A copy that a test may damage."""
    return runs.Fit(Path(shutil.copytree(run.first.path, tmp_path / "fit")))


READERS: dict[str, Callable[[runs.Fit], object]] = {
    "weights.safetensors": lambda fit: fit.network(),
    "logits_val.npy": lambda fit: fit.logits("val"),
    "predictions_val.csv": lambda fit: fit.predictions("val"),
    "meta.json": lambda fit: fit.meta,
    "recipe.json": lambda fit: fit.recipe,
    "summary.json": lambda fit: fit.summary,
    "history.jsonl": lambda fit: fit.history(),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("form", FORMS)
def test_files_of_a_fit(
    fit: runs.Fit, marker: Path, fault: Callable, name: str, form: Callable
) -> None:
    form(Payload(marker), fit.path / name)
    with fault("code in another file", f"{name}, {form.__name__}"):
        refused(lambda: READERS[name](fit), fit.path / name, marker)


@pytest.mark.parametrize("suffix", ["pt", "pth", "ckpt", "bin", "safetensors"])
@pytest.mark.parametrize("form", FORMS)
def test_starting_weights(
    tmp_path: Path, marker: Path, fault: Callable, suffix: str, form: Callable
) -> None:
    form(Payload(marker), path := tmp_path / f"weights.{suffix}")
    with fault("code in another file", f"weights.{suffix}, {form.__name__}"):
        refused(lambda: read_state_dict(path), path, marker)
    with fault("code in another file", f"published.{suffix}, {form.__name__}"):
        refused(lambda: networks.load(path), path, marker)


@pytest.mark.parametrize("form", FORMS)
def test_a_checkpoint(
    tiny: TinyImageNet, tmp_path: Path, marker: Path, fault: Callable, form: Callable
) -> None:
    recipe = Recipe("convnet9", epochs=1, lr=0.01, width=0.25)
    train.fit(recipe, tiny, tmp_path / "fit", device="cpu", progress=None)
    (tmp_path / "fit" / "summary.json").unlink()
    form(Payload(marker), path := tmp_path / "fit" / "checkpoint.pt")
    with fault("code in another file", f"checkpoint, {form.__name__}"):
        refused(
            lambda: train.fit(recipe, tiny, tmp_path / "fit", device="cpu", progress=None),
            path,
            marker,
        )
        path.unlink()  # as the message advises
        train.fit(recipe, tiny, tmp_path / "fit", device="cpu", progress=None)


@pytest.mark.parametrize("form", [of_numpy, archive_of_numpy])
def test_a_packed_split(
    tmp_path: Path,
    marker: Path,
    fault: Callable,
    form: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a stranger who has also changed the digests in meta.json: packed again, or refused."""
    from data_folder import write_folder

    monkeypatch.setenv("TIN_CACHE", str(tmp_path / "cache"))
    root = write_folder(tmp_path / "data")
    before = open_data(root).fingerprint
    for name in ("val.npz", "val.npy"):
        (path,) = (tmp_path / "cache").rglob(name)
        form(Payload(marker), path)
        meta = json.loads((path.parent / "meta.json").read_text())
        del meta["digest"]  # as of a packed folder that was made on purpose
        meta["splits"]["val"]["columns_sha256"] = files.file_digest(path.with_name("val.npz"))
        meta["splits"]["val"]["image_bytes"] = path.with_name("val.npy").stat().st_size
        files.write_json(path.parent / "meta.json", meta)
        with fault("code in another file", f"packed {name}, {form.__name__}"):
            try:
                assert open_data(root).fingerprint == before
            except ValueError as error:
                assert name in str(error)  # noqa: PT017
                shutil.rmtree(path.parent)
                assert open_data(root).fingerprint == before
            assert not marker.exists()
        shutil.rmtree(tmp_path / "cache")
        open_data(root)


@pytest.mark.parametrize("form", FORMS)
def test_features(
    tiny: TinyImageNet, tmp_path: Path, marker: Path, fault: Callable, form: Callable
) -> None:
    header = {
        "format": 1,
        "network": "toy",
        "weights": {},
        "dimensions": 2,
        "dtype": "float32",
        "size": 64,
        "class_ids": list(tiny.class_ids),
        "fingerprint": tiny.fingerprint,
        "splits": {"val": {"rows": 32, "done": 32, "seconds": 1.0}},
    }
    files.write_json(tmp_path / "features.json", header)
    files.write_array(tmp_path / "val.npy", np.zeros((32, 2), np.float32))
    opened = features.open_features(tmp_path, tiny)
    assert opened.rows("val").shape == (32, 2)
    form(Payload(marker), tmp_path / "val.npy")
    form(Payload(marker), tmp_path / "head.safetensors")
    with fault("code in another file", f"features, {form.__name__}"):
        refused(lambda: opened.rows("val"), tmp_path / "val.npy", marker)
    with fault("code in another file", f"output layer beside features, {form.__name__}"):
        refused(opened.head, tmp_path / "head.safetensors", marker)
    form(Payload(marker), tmp_path / "features.json")
    with fault("code in another file", f"features.json, {form.__name__}"):
        refused(lambda: features.open_features(tmp_path), tmp_path / "features.json", marker)


@pytest.mark.parametrize("form", FORMS)
def test_what_browsers_keep(
    run: runs.Run,
    data: TinyImageNet,
    tmp_path: Path,
    marker: Path,
    fault: Callable,
    form: Callable,
) -> None:
    """Surveys, maximising images and saliency maps are computed again."""
    fit = run.first
    shown = images_of_split(data.val.select(np.arange(8)), fit.mean, fit.std)

    def survey() -> np.ndarray:
        store = FilterStore(fit, shown, 1, tmp_path / "filters")
        layer = next(iter(store.layers))
        store.survey(layer)
        store.optimise(layer, "pixel", [0])
        image = store.image(layer, "pixel", 0)
        assert image is not None
        return image

    def maps() -> np.ndarray:
        return MapStore(run.fits, data.val, tmp_path / "maps").get(fit.name, "gradient", 0)

    for what, compute in (("filters", survey), ("maps", maps)):
        before = compute()
        kept = [path for path in (tmp_path / what).rglob("*") if path.is_file()]
        assert kept
        for path in kept:
            form(Payload(marker), path)
        with fault("code in another file", f"{what}, {form.__name__}"):
            again = compute()
            assert not marker.exists()
            assert again.shape == before.shape


def test_a_zip_named_as_weights(tmp_path: Path, marker: Path, fault: Callable) -> None:
    """torch's format by hand, with the payload as the storage's type."""
    path = tmp_path / "weights.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Payload(marker)))
        archive.writestr("archive/version", "3\n")
    with fault("code in another file", "torch's format by hand"):
        refused(lambda: read_state_dict(path), path, marker)
