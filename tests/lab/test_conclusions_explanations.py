"""The records behind the conclusions on maps and filters: which verdict, which numbers."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_run import make_run

from tin_lib.analysis import filters, runs, saliency
from tin_lib.analysis.saliency.baselines import BASELINES
from tin_lib.analysis.saliency.comparisons import against_baselines, summarise
from tin_lib.lab import conclusions
from tin_lib.lab.conclusions import inside, maps

NAN = float("nan")
CHECKED = pd.DataFrame({"method": ["gradient"], "layers": ["all layers"], "mean": [0.25]})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    return make_run(tmp_path_factory.mktemp("explained"))


def made_fit(right: int = 90, total: int = 100, val: float = 0.9) -> Any:
    """A fit of ten classes that names the class of so many of its validation images."""
    labels = np.arange(total) % 10
    predicted = np.where(np.arange(total) < right, labels, (labels + 1) % 10)
    table = pd.DataFrame({"label": labels.astype(str), "predicted": predicted.astype(str)})
    return SimpleNamespace(
        predictions=lambda split: table,
        class_ids=tuple(map(str, range(10))),
        summary={"val_accuracy": val},
    )


def made_run(**fits: Any) -> Any:
    return SimpleNamespace(fits=fits)


def evaluation(
    gains: dict[str, float], empty: int = 0, images: int = 40, network: str = "vgg16"
) -> saliency.Evaluation:
    """Maps of one method that are better than every baseline by ``gains`` in each measure."""
    drawn = np.random.default_rng(0)
    tables = []
    for method, kind in {"gradient": "method", **dict.fromkeys(BASELINES, "baseline")}.items():
        columns: dict[str, Any] = {}
        for measure, gain in gains.items():
            own = gain * (kind == "method") * (-1 if measure == "deletion" else 1)
            columns[measure] = 0.4 + own + drawn.normal(0, 0.01, images)
        if "mass inside" in columns:
            columns["beyond the box"] = columns["mass inside"] - 0.3
        table = pd.DataFrame({"network": network, "method": method, "kind": kind, **columns})
        table = table.assign(image=range(images), empty=False)
        if kind == "method":
            table.loc[table.index[:empty], ["empty"]] = True
            table.loc[table.index[:empty], list(columns)] = NAN
        tables.append(table)
    found = pd.concat(tables, ignore_index=True)
    return saliency.Evaluation(
        found, summarise(found), against_baselines(found), pd.DataFrame(), {}, {}
    )


@pytest.mark.parametrize(
    ("gains", "on_object", "ranks", "both"),
    [
        ({"mass inside": 0.1, "insertion": 0.1, "deletion": 0.1}, "yes", "yes", "yes"),
        ({"mass inside": 0.0, "insertion": 0.1, "deletion": 0.1}, "undecided", "yes", "undecided"),
        ({"mass inside": -0.1, "insertion": 0.1, "deletion": 0.1}, "no", "yes", "no"),
        ({"mass inside": 0.1, "insertion": 0.1, "deletion": 0.0}, "yes", "undecided", "undecided"),
        ({"mass inside": 0.1, "insertion": 0.1, "deletion": -0.1}, "yes", "no", "no"),
        ({"insertion": 0.1, "deletion": 0.1}, "untested", "yes", "yes"),
    ],
)
def test_verdicts_on_maps(gains: dict[str, float], on_object: str, ranks: str, both: str) -> None:
    record = maps.judge(evaluation(gains), CHECKED, made_run(vgg16=made_fit()))
    (verdict,) = record.verdicts
    assert (verdict.on_object, verdict.ranks, verdict.interpretable) == (on_object, ranks, both)
    assert record.comparisons == 4 * len(gains)
    assert record.unlearnt == {"gradient": 0.25}
    assert (verdict.n, verdict.empty) == (40, 0)


def test_few_images_leave_it_undecided_and_do_not_confirm_the_paper() -> None:
    """Intervals that overlap are no evidence for "not readily interpretable"."""
    gains = dict.fromkeys(("mass inside", "insertion", "deletion"), 0.002)
    record = maps.judge(evaluation(gains, images=8), CHECKED, made_run(vgg16=made_fit()))
    assert record.verdicts[0].interpretable == "undecided"
    assert "Worse than a baseline: none" in maps.answer(record)


def test_empty_maps_are_counted() -> None:
    gains = dict.fromkeys(("mass inside", "insertion", "deletion"), 0.1)
    record = maps.judge(evaluation(gains, empty=15), CHECKED, made_run(vgg16=made_fit()))
    assert (record.verdicts[0].n, record.verdicts[0].empty) == (25, 15)


def test_networks_at_chance_get_no_verdict() -> None:
    gains = dict.fromkeys(("mass inside", "insertion", "deletion"), 0.1)
    record = maps.judge(evaluation(gains), CHECKED, made_run(vgg16=made_fit(right=12)))
    assert (record.verdicts, record.at_chance) == ((), ("vgg16",))
    text = maps.saliency_text(record)
    assert "No verdict for VGG-16" in text
    assert "so there is no verdict" in text


def test_omitted_pairs_are_reported() -> None:
    gains = {"insertion": 0.1, "deletion": 0.1}
    found = evaluation(gains)
    found.left_out["vgg16", "guided_backprop"] = "guided_backprop: vgg16 has no ReLU"
    found.map_sizes["vgg16"] = (2, 2)
    found.measures["method"] = found.measures["method"].replace("gradient", "grad_cam")
    found.measures["empty"] = 5
    record = maps.judge(found, CHECKED, made_run(vgg16=made_fit()))
    assert record.left_out == ("guided_backprop: vgg16 has no ReLU",)
    text = conclusions.resolution(found)
    assert "VGG-16: 2×2 positions, 5 of 45 maps empty" in text
    assert "no boxes in this data" in text


def test_saliency_of_a_real_run(run: runs.Run) -> None:
    nets = {name: fit.network() for name, fit in run.fits.items()}
    val, first = run.data().val, run.first
    images = saliency.images_to_explain(val, first.mean, first.std, 6)
    found = saliency.evaluate(nets, images, ["gradient", "grad_cam"])
    checked = saliency.parameter_randomisation(nets, images, ["gradient", "grad_cam"])
    record = maps.judge(found, checked, run)
    assert len(record.verdicts) + 2 * len(record.at_chance) == 4
    assert "not readily interpretable" in conclusions.saliency(found, checked, run)
    assert "9-layer ConvNet: 2×2 positions" in conclusions.resolution(found)


# Filters.


def compared(share: float = 0.0) -> pd.DataFrame:
    row = {"network": "VGG-16", "layer": "conv13", "figure": "dead", "place": "last"}
    return pd.DataFrame([{**row, "mean": share, "low": 0.0, "high": 0.3}])


def smoothness_table(*rows: tuple[str, str, float, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["network", "place", "roughness", "outcome"])


def test_smoothness_of_the_filters() -> None:
    table = smoothness_table(
        ("vgg16", "first", 0.5, "yes"),
        ("alexnet", "first", 0.9, "undecided"),
        ("alexnet", "last", NAN, "undecided"),
    )
    run = made_run(vgg16=made_fit(), alexnet=made_fit())
    record = inside.judge_filters(compared(0.25), table, run)
    assert record.dead == ("VGG-16", "conv13", 0.25)
    text = inside.filters_text(record)
    assert "VGG-16 0.50, AlexNet 0.90; smoother than before training: yes for VGG-16" in text
    assert "last convolution's kernels (white noise: 1): not measured" in text
    assert "25.0 % (VGG-16, conv13)" in text
    assert "No filter" in inside.filters_text(inside.judge_filters(compared(), table, run))
    run = made_run(vgg16=made_fit(), alexnet=made_fit(right=11))
    record = inside.judge_filters(compared(), table, run)
    assert record.at_chance == ("alexnet",)
    assert {each.network for each in record.smoothness} == {"vgg16"}


def arms(difference: float, noise: float = 0.01) -> pd.DataFrame:
    """Roughness of three pairs of networks; the unregularised one's is larger by ``difference``."""
    drawn = np.random.default_rng(0)
    rows = []
    for seed in range(3):
        level = drawn.normal(0.5, 0.2)  # of the seed: what pairing takes away
        for arm, extra in (("penalised", 0.0), ("unregularised", difference)):
            value = level + extra + drawn.normal(0, noise)
            rows.append((arm, seed, "first", "conv1", value, 0.1, 8))
            rows.append((arm, seed, "last", "conv4", NAN, NAN, 0))
    columns = ["arm", "seed", "place", "layer", "roughness", "spread", "filters"]
    return filters.compare_arms(pd.DataFrame(rows, columns=columns))


@pytest.mark.parametrize(
    ("difference", "outcome"), [(0.3, "yes"), (-0.3, "no"), (0.0, "undecided")]
)
def test_arms_are_compared_over_seeds(difference: float, outcome: str) -> None:
    keys = [(arm, seed) for arm in ("penalised", "unregularised") for seed in range(3)]
    record = inside.judge_arms(arms(difference), {key: made_fit() for key in keys})
    first, last = record.verdicts
    assert (first.outcome, first.seeds) == (outcome, 3)
    assert last.outcome == "undecided"
    assert first.spread == pytest.approx(0.1)
    assert record.accuracies == {"penalised": 0.9, "unregularised": 0.9}
    assert "cannot be measured" in inside.arms_text(record)


def test_arms_at_chance_get_no_verdict() -> None:
    fits = {("penalised", 0): made_fit(), ("unregularised", 0): made_fit(right=10)}
    record = inside.judge_arms(arms(0.3), fits)
    assert record.at_chance == 1
    assert inside.arms_text(record).startswith("No verdict on this comparison: 1 of its")


def test_filters_of_a_real_run(run: runs.Run) -> None:
    shown = filters.images_of_split(run.data().val, run.first.mean, run.first.std, 20)
    nets = {name: fit.network() for name, fit in run.fits.items()}
    fresh = {name: filters.untrained(net) for name, net in nets.items()}
    table = filters.against_untrained(nets, fresh)
    assert list(table.place) == ["first", "last"] * 2
    assert (table.p_adjusted >= table.p).all()
    record = inside.judge_filters(filters.compare(nets, shown), table, run)
    assert len(record.smoothness) + 2 * len(record.at_chance) == 4
    text = conclusions.filters(filters.compare(nets, shown), table, run)
    assert "Roughness of the first convolution's kernels" in text
