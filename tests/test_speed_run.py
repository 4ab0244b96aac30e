"""The speed run's benchmark: its tables, picture and line; what is done is kept."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmark_toys import BARE, last_line, run
from data_folder import write_folder

from tin_lib import files, runs
from tin_lib.data import open_data

pytestmark = pytest.mark.slow


RACE = ["--network", "alexnet", "--recipe", "quick", "--set", "epochs=2", "--set", "width=0.05"]


RACE += ["--plain-minutes", "0.001", "--device", "cpu"]


def race(folder: Path) -> list[str]:
    """The arguments of a speed run in a folder."""
    out, fits = str(folder / "out"), str(folder / "fits")
    return [str(folder / "small"), "--out", out, "--fits", fits, *RACE]


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with the data, and the speed run of one seed and the plain loop; its output."""
    folder = tmp_path_factory.mktemp("speedrun")
    write_folder(folder / "small")
    return folder, run("speedrun", *race(folder), "--seeds", "1", start=("-c", BARE))


def test_a_speed_run_leaves_its_tables_and_its_line(raced: tuple[Path, str]) -> None:
    out, printed = raced[0] / "out", raced[1]
    assert all(words in printed for words in ("seed 0", "plain loop", "to 0.535"))
    assert set(last_line(printed)["ratios"]) >= {"val accuracy / paper", "images/s / plain"}
    seed, plain = (pd.read_csv(out / name).iloc[0] for name in ("speedrun.csv", "plain.csv"))
    history = pd.read_csv(out / "history.csv")
    assert (seed.epochs, seed.images_seen) == (2, 72)
    assert seed.val_accuracy == pytest.approx(history.val_accuracy.iloc[-1], abs=1e-5)
    assert seed.minutes == history.minutes.iloc[-1]
    assert (plain.minutes >= 0.001, plain.images_seen) == (True, 36)
    assert pd.read_csv(out / "plain_history.csv").val_accuracy.iloc[-1] == plain.val_accuracy
    runs_of = files.read_json(out / "machine.json")["sessions"][0]["runs"]
    assert set(runs_of) == {"seed 0", "plain"}
    assert all({"load_average", "other_cores"} == set(noted) for noted in runs_of.values())


def test_the_picture_of_a_speed_run_is_readable(raced: tuple[Path, str]) -> None:
    picture = ET.parse(raced[0] / "out" / "speedrun.svg").getroot()
    assert picture.find(f"{{*}}rect[@width='{picture.get('width')}'][@fill='#ffffff']") is not None
    texts = picture.findall("{*}text")
    assert any("paper 0.535" in str(each.text) for each in texts)
    assert min(int(each.attrib["font-size"]) for each in texts) >= 12
    assert min(contrast_with_white(each.attrib["fill"]) for each in texts) >= 4.5
    assert len(picture.findall("{*}polyline")) == 2


def contrast_with_white(colour: str) -> float:
    """By the WCAG's formula."""
    shares = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return float(1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05))


def test_a_speed_run_keeps_what_is_done(raced: tuple[Path, str], again: Callable[..., str]) -> None:
    folder, names = raced[0], ("speedrun", "history", "plain", "plain_history")
    read = lambda: {name: (folder / "out" / f"{name}.csv").read_text() for name in names}
    before = read()
    printed = again("speedrun", *race(folder), "--seeds", "2")
    assert printed.count("not trained again") == 2
    after = read()
    assert all(after[name].startswith(before[name]) for name in names)
    assert after["plain"] == before["plain"]
    assert pd.read_csv(folder / "out" / "speedrun.csv").seed.tolist() == [0, 1]
    assert last_line(printed)["seeds"] == [0, 1]
    with pytest.raises(SystemExit, match=r"another recipe \(epochs\)"):
        again("speedrun", *(part.replace("epochs=2", "epochs=3") for part in race(folder)))


def test_minutes_are_those_at_the_end_of_the_first_epoch_that_is_there(
    tmp_path: Path, again: Callable[..., str]
) -> None:
    import speedrun

    accuracies = (0.2, 0.41, 0.39, 0.5)
    rows = [{"seconds": 60.0, "images_per_second": 10.0, "val_accuracy": a} for a in accuracies]
    files.atomic_write(tmp_path / "history.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    files.write_json(tmp_path / "recipe.json", {"seed": 3})
    files.write_json(tmp_path / "meta.json", {"precision": "bf16"})
    summary = {"val_accuracy": 0.51, "val_top5": 0.7, "images_per_second": 10.0}
    files.write_json(tmp_path / "summary.json", summary)
    found = speedrun.figures(runs.Fit(tmp_path))
    assert [found[f"minutes_to_{level}"] for level in ("0.30", "0.40", "0.50")] == [2, 2, 4]
    assert found["minutes_to_0.535"] is None
    assert (found["minutes"], found["val_accuracy"], found["images_seen"]) == (4, 0.51, 2400)


def test_the_plain_loop_has_the_right_labels(
    raced: tuple[Path, str], again: Callable[..., str]
) -> None:
    import _plain_loop

    data = open_data(raced[0] / "small")
    numbers = _plain_loop.train_images(data.root).class_to_idx
    assert tuple(numbers) == data.class_ids
    val = _plain_loop.ValImages(data.root, numbers)
    assert {p.name: k for p, k in val.samples} == dict(zip(data.val.files, data.val.labels))
    assert val[0][0].shape == (3, 64, 64)
