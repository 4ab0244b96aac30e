"""Pictures of one's own: reading, what is said of their size, and their classes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tin_lib import predict
from tin_lib.__main__ import main
from tin_lib.analysis import pictures
from tin_lib.analysis.runs import Run
from tin_lib.data import TinyImageNet


def save(path: Path, size: tuple[int, int], mode: str = "RGB", **options: Any) -> Path:
    """An image file of a ramp of grays."""
    ramp = Image.linear_gradient("L").resize(size)
    ramp.convert(mode).save(path, **options)
    return path


def test_sizes_are_told(tmp_path: Path) -> None:
    same = pictures.read(save(tmp_path / "a.png", (64, 64)))
    assert same.about == "64×64 pixels"
    square = pictures.read(save(tmp_path / "b.png", (200, 200), "L"))
    assert square.about == "200×200 pixels, resized to 64×64"
    assert square.pixels.shape == (3, 64, 64)
    assert square.pixels.dtype == torch.uint8
    wide = pictures.read(save(tmp_path / "c.webp", (640, 480)))
    assert wide.about.startswith(
        "640×480 pixels, resized to 64×64 without keeping its aspect ratio"
    )


def test_a_turned_photo_has_the_size_that_is_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    path = save(tmp_path / "turned.jpg", (90, 60), exif=exif)
    assert pictures.read(path).about.startswith("60×90 pixels")


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file; name a file that is an image"):
        pictures.read(tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match="cannot be read as an image"):
        pictures.read(tmp_path / "text.png")


def test_classes_are_those_of_the_fit(run: Run, data: TinyImageNet, tmp_path: Path) -> None:
    """Validation images, written to files and read again, get the recorded predictions."""
    fit = run.fit("convnet9")
    paths = [tmp_path / f"{n}.png" for n in range(8)]
    for path, pixels in zip(paths, data.val.images[:8], strict=True):
        Image.fromarray(pixels.transpose(1, 2, 0)).save(path)
    tables = pictures.classify(fit, [pictures.read(path) for path in paths])
    recorded = fit.predictions("val")
    for number, table in enumerate(tables):
        assert " ".join(table.wnid) == recorded.top5[number]
        assert table.probability[0] == pytest.approx(recorded.probability[number], abs=1e-4)
        assert table.probability.is_monotonic_decreasing
    names = dict(zip(fit.class_ids, fit.class_names, strict=True))
    assert list(tables[0].name) == [names[wnid] for wnid in tables[0].wnid]


def test_mirrored_images_count_where_the_recipe_averages_them(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = pictures.read(save(tmp_path / "a.png", (64, 64)))
    seen: list[bool] = []
    scores = predict.scores

    def watched(network: Any, images: Any, mean: Any, std: Any, flip: bool = False) -> Any:
        seen.append(flip)
        return scores(network, images, mean, std, flip)

    monkeypatch.setattr(predict, "scores", watched)
    fit = run.fit("vgg_like")
    pictures.classify(fit, [picture])
    monkeypatch.setitem(fit.recipe, "flip_test", True)
    pictures.classify(fit, [picture])
    assert seen == [False, True]


def test_the_command_names_five_classes(run: Run, tmp_path: Path, capsys: Any) -> None:
    path = save(tmp_path / "wide.jpg", (300, 100))
    fit = run.path / "networks" / "vgg_like"
    assert main(["predict", str(fit), str(path), str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{path}: 300×100 pixels, resized to 64×64")
    assert len(lines) == 12
    shares = [float(line.split("%")[0]) for line in lines[1:6]]
    assert shares == sorted(shares, reverse=True)
    assert main(["predict", str(fit), str(tmp_path / "absent.jpg")]) == 2
    assert main(["predict", str(tmp_path / "no-fit"), str(path)]) == 2
    assert "the fit is not there" in capsys.readouterr().err
