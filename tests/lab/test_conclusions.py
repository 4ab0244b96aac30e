"""The sentences that notebooks end with, also at the ends of what a run can come to."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from error_toys import names
from small_run import make_run

from tin_lib import runs
from tin_lib.analysis import errors
from tin_lib.analysis import filters as filters_
from tin_lib.analysis.audit import audit
from tin_lib.analysis.ensemble import ensemble_table, error_correlation
from tin_lib.analysis.saliency.baselines import BASELINES
from tin_lib.data import open_data
from tin_lib.lab import conclusions, formatting

NAN = float("nan")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    return make_run(tmp_path_factory.mktemp("story"))


def fit(network: str = "vgg_like", classes: int = 200, val: float = 0.3, **other: Any) -> Any:
    """What ``beside_paper`` reads of a fit."""
    images = {"train": other.get("images", 100_000)}
    return SimpleNamespace(
        summary={"network": network, "val_accuracy": val},
        class_ids=("n",) * classes,
        meta={"images": images},
        recipe={"width": other.get("width", 1.0)},
    )


def test_lists() -> None:
    assert [formatting.join_and("abc"[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert formatting.join_some("abcd") == "a, b, c and d"
    assert formatting.join_some("abcdef") == "a, b, c and 3 more"
    assert formatting.percent(0.4551) == "45.5 %"


@pytest.mark.parametrize(
    ("train", "val", "said"),
    [
        (0.9, 0.5, "by 40.0 points: it overfits"),
        (0.6, 0.5, "a mild overfit"),
        (0.5, 0.49, "more capacity"),
        (0.4, 0.5, "Validation is ahead of training by 10.0 points"),
        (1.0, 0.999, "next to perfect"),
        (1.0, 0.5, "by 50.0 points: it overfits"),
        (1.0, 0.98, "nothing is left to learn"),
    ],
)
def test_overfitting(train: float, val: float, said: str) -> None:
    assert said in conclusions.overfitting(train, val)


def test_training_says_in_which_precision(run: runs.Run) -> None:
    made = run.first
    precision = made.summary["precision"]
    assert f"images/s on {made.summary['device']} in {precision}. It names" in conclusions.training(
        made
    )
    del made.summary["precision"]  # a fit of an earlier version
    assert f"images/s on {made.summary['device']}. It names" in conclusions.training(made)
    made.summary["precision"] = precision


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (fit(val=0.3), "reports 28.8 % on validation: this is 1.2 points above it."),
        (fit(val=0.25), "this is 3.8 points below it."),
        (fit(val=0.2881), "this is the same."),
        (fit(classes=10), "cannot be compared"),
        (fit("alexnet", classes=10), "ran out of memory"),
        (fit("resnet18"), "The paper has no ResNet-18."),
        (fit(images=20_000, width=0.5), "with 20,000 of 100,000 training images and 0.5 × its"),
    ],
)
def test_beside_paper(made: Any, said: str) -> None:
    assert said in conclusions.beside_paper(made)


def test_training_of_a_real_fit(run: runs.Run) -> None:
    text = conclusions.training(run.fit("convnet9"))
    s = run.fit("convnet9").summary
    assert f"**{100 * s['val_accuracy']:.1f} % of the validation images**" in text
    assert "guessing would give 10.0 %" in text
    assert "cannot be compared" in text
    assert conclusions.penalty_share(run.fit("convnet9")).startswith(
        "This recipe uses no penalties"
    )


def test_penalty_share() -> None:
    history = pd.DataFrame({"penalty": [3.0, 1.0], "train_loss": [1.0, 3.0]})
    told = conclusions.penalty_share(SimpleNamespace(history=lambda: history))  # type: ignore[arg-type]
    assert "75.0 % of the loss in the first epoch and 25.0 % in the last (1.000 beside" in told


def test_audit_of_the_sample_and_of_nothing_to_report() -> None:
    data = open_data("sample", classes=3)
    found = audit(data)
    text = conclusions.audit(found, data)
    assert "360 train and 60 val images of 3 classes, and 200 test images without labels." in text
    assert "Half of the training boxes cover less than" in text
    assert "official" not in text
    bare = SimpleNamespace(
        splits=found.splits.assign(grayscale=0),
        identical=found.identical.head(0),
        boxes=found.boxes.head(0),
    )
    text = conclusions.audit(bare, data)  # type: ignore[arg-type]
    assert text.endswith("Grayscale files: none. No two files are byte-identical.")


def whole_audit(gray: int) -> Any:
    """An audit of 39 pairs, seven of them in conflict, in a data set of the official size."""
    splits = pd.DataFrame({"split": ["train", "val", "test"], "images": [100_000, 10_000, 10_000]})
    splits["grayscale"] = [gray, 168, 189]
    files = pd.DataFrame({"group": np.repeat(range(39), 2)})
    files["split"] = np.where((files.index % 2 == 1) & (files.group < 7), "val", "train")
    files["file"], files["label"] = "a", "n"
    files["conflict"] = files.group < 27
    boxes = pd.DataFrame({"split": ["train"], "share": [0.4]})
    return SimpleNamespace(splits=splits, identical=files, boxes=boxes)


def test_audit_of_the_whole_data_set_names_what_is_known() -> None:
    data: Any = SimpleNamespace(num_classes=200)
    assert conclusions.audit(whole_audit(1821), data).endswith(
        "counts known of the official data set."
    )
    text = conclusions.audit(whole_audit(1820), data)
    assert "1,821 train, 168 val and 189 test grayscale files" in text
    assert "this copy differs" in text
    assert "39 groups; in 27 of them the labels contradict each other, in 7 of these" in text


def vote_table(singles: dict[str, float], votes: dict[str, float]) -> pd.DataFrame:
    rows = [{"name": n, "kind": "network", "accuracy": a} for n, a in singles.items()]
    rows += [{"name": n, "kind": "vote", "accuracy": a} for n, a in votes.items()]
    table = pd.DataFrame(rows)
    return table.assign(low=table.accuracy - 0.02, high=table.accuracy + 0.02)


def test_ensemble_sentences() -> None:
    wrong = pd.DataFrame({"vgg16": [True, False], "alexnet": [True, True]})
    table = vote_table({"vgg16": 0.5, "alexnet": 0.5}, {"majority vote": 0.51, "soft vote": 0.6})
    text = conclusions.ensemble(table, error_correlation(wrong), wrong)
    assert "Best alone are VGG-16 and AlexNet with 50.0 %" in text
    assert "it gains 1.0 points, less than the interval can tell from none" in text
    assert "it gains 10.0 points." in text
    assert "at most one network's vary" in text
    assert "All of them miss 50.0 % of the images, and at least one finds 50.0 %" in text


def test_ensemble_of_three_one_and_none_better() -> None:
    wrong = pd.DataFrame({"a": [True, False, True], "b": [True, False, False]})
    same = vote_table({"a": 0.5, "b": 0.4}, {"soft vote": 0.5})
    assert "neither gain nor loss" in conclusions.ensemble(same, error_correlation(wrong), wrong)
    assert "2 voted here; the paper's three have 0.732" in conclusions.ensemble(
        same, error_correlation(wrong), wrong
    )
    three = wrong.assign(c=[False, True, True])
    table = vote_table({"a": 0.5, "b": 0.4, "c": 0.3}, {"soft vote": 0.2})
    text = conclusions.ensemble(table, error_correlation(three), three)
    assert "(the paper's figure 0.732)" in text
    assert "it loses 30.0 points." in text
    one = wrong[["a"]]
    alone = conclusions.ensemble(vote_table({"a": 0.5}, {}), error_correlation(one), one)
    assert "nothing to correlate with" in alone


def test_ensemble_of_a_real_run(run: runs.Run) -> None:
    table = ensemble_table(run, fallback="vgg_like")
    wrong = pd.DataFrame({name: [True, False] for name in run.fits})
    assert "The majority vote reaches" in conclusions.ensemble(
        table, error_correlation(wrong), wrong
    )


def rough(network: str, place: str, mean: float) -> dict[str, Any]:
    return {
        "network": network,
        "place": place,
        "layer": place,
        "figure": "kernel_roughness",
        "mean": mean,
        "low": mean - 0.1,
        "high": mean + 0.1,
    }


def test_filters_smoother_not_measured_and_dead() -> None:
    made: Any = SimpleNamespace(fits={"vgg16": None, "alexnet": None})
    rows = [rough("vgg16", "first", 0.5), rough("vgg16 (untrained)", "first", 1.0)]
    table = pd.DataFrame([*rows, rough("alexnet", "first", NAN)])
    text = conclusions.filters(table, made)
    assert "first convolution's kernels (white noise: 1): VGG-16 0.50; clearly" in text
    assert "smoother than untrained: VGG-16." in text
    assert "last convolution's kernels (white noise: 1): not measured" in text
    quiet = {"network": "vgg16", "layer": "conv 13", "figure": "dead", "place": "last"}
    for share, said in (
        (0.0, "No filter of these layers is dead."),
        (0.25, "25.0 % (VGG-16, conv 13)"),
    ):
        dead = pd.DataFrame([{**quiet, "mean": share, "low": 0.0, "high": 0.3}])
        assert said in conclusions.filters(pd.concat([table, dead]), made)


@pytest.mark.parametrize(
    ("plain", "said"),
    [(1.0, "as the paper supposes"), (0.1, "against what"), (0.55, "does not decide it")],
)
def test_filter_pair(plain: float, said: str) -> None:
    table = pd.DataFrame([rough("penalised", "first", 0.5), rough("unregularised", "first", plain)])
    fits: Any = {"penalised": SimpleNamespace(summary={"val_accuracy": 0.5})}
    text = conclusions.filter_pair(table, fits)
    assert said in text
    assert "In the last convolution there is no roughness to compare." in text
    assert text.endswith("50.0 % (penalised).")


def test_filters_of_a_real_run(run: runs.Run) -> None:
    looked_at = filters_.images_of_split(run.data().val, run.first.mean, run.first.std, 20)
    nets = {name: made.network() for name, made in run.fits.items()}
    text = conclusions.filters(filters_.compare(nets, looked_at), run)
    assert "not measured" not in text
    assert "9-layer ConvNet" in text


def classes(wrong: list[int], taken: list[int] | None = None) -> pd.DataFrame:
    """Per-class errors of 10 images each; ``taken``: of these for thing 3."""
    named = names(len(wrong))
    table = pd.DataFrame({"wnid": list(named), "name": list(named.values())})
    table["images"], table["errors"], table["taken_count"] = 10, wrong, taken or wrong
    table["error_rate"] = table.errors / 10
    return table.assign(taken_for=["thing 3" if count else "" for count in wrong])


NO_PAIRS = pd.DataFrame(columns=["label_name", "predicted_name", "count", "images"])
DOUBTFUL = pd.DataFrame([("val", "a"), ("val", "a"), ("train", "a")], columns=["split", "file"])


def test_class_errors_with_one_at_each_end() -> None:
    pairs = pd.DataFrame(
        [("thing 3", "thing 1", 4, 10), ("thing 1", "thing 3", 2, 10)], columns=NO_PAIRS.columns
    )
    table = classes([1, 5, 6, 9])
    text = conclusions.class_errors(
        table, pairs, ["Across classes: open.", "- area: × 1"], DOUBTFUL
    )
    assert "Best class: **thing 0** (1 error of 10); worst class: **thing 3** (9" in text
    assert "mostly taken for thing 3." in text
    assert "The commonest confusion: thing 3 taken for thing 1 (4 images)." in text
    assert "Labels worth a second look: 2." in text
    assert text.endswith("- Across classes: open.\n  - area: × 1")
    spread = conclusions.class_errors(classes([1, 5, 6, 9], [1, 1, 1, 4]), pairs, [], DOUBTFUL)
    assert "mostly" not in spread


def test_class_errors_that_tie_and_a_network_without_errors() -> None:
    text = conclusions.class_errors(classes([0] * 7 + [3, 3]), NO_PAIRS, [], DOUBTFUL)
    assert "Best classes: **thing 0, thing 1, thing 2 and 4 more** (0 errors of 10 each)" in text
    assert "worst classes: **thing 7 and thing 8** (3 errors of 10 each)." in text
    text = conclusions.class_errors(classes([0, 0]), NO_PAIRS, [], DOUBTFUL)
    assert "All classes fare alike: 0 errors of 10 each." in text
    assert "No image is taken for another class." in text
    assert "mostly" not in text


def test_class_errors_of_confusions_that_tie() -> None:
    pairs = pd.DataFrame([("a", "b", 1, 9), ("b", "a", 1, 9)], columns=NO_PAIRS.columns)
    text = conclusions.class_errors(classes([1, 2]), pairs, [], DOUBTFUL)
    assert "a taken for b and b taken for a (1 image each)" in text


def test_class_errors_of_a_real_run(run: runs.Run) -> None:
    fit = run.first
    named = errors.short_names(fit.class_ids, fit.class_names)
    table = fit.predictions("val")
    pairs = errors.most_confused(errors.confusion_matrix(table, named), named, 100)
    text = conclusions.class_errors(errors.per_class(table, named), pairs, [], DOUBTFUL)
    assert "Best class" in text
    assert "The commonest confusion: " in text


def map_measures(box: float, inserted: float, deleted: float) -> pd.DataFrame:
    """Measures of one method of VGG-16, and of the baselines at 0.1, 0.5 and 0.5."""
    values = {"gradient": ("method", box, inserted, deleted)}
    values |= dict.fromkeys(BASELINES, ("baseline", 0.1, 0.5, 0.5))
    rows = [
        {"network": "vgg16", "method": method, "kind": kind, "measure": measure, "mean": value}
        for method, (kind, *means) in values.items()
        for measure, value in zip(("beyond the box", "insertion", "deletion"), means, strict=True)
    ]
    table = pd.DataFrame(rows)
    return table.assign(low=table["mean"] - 0.01, high=table["mean"] + 0.01)


CHECKED = pd.DataFrame({"method": ["gradient"], "layers": ["all layers"], "mean": [0.25]})


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (map_measures(0.3, 0.8, 0.1), "1 put their maps on the object, 1 order"),
        (map_measures(0.1, 0.8, 0.1), "0 put their maps on the object, 1 order"),
        (map_measures(0.3, 0.8, 0.5), "1 put their maps on the object, 0 order"),
        (map_measures(0.3, NAN, 0.1), "1 put their maps on the object, 0 order"),
    ],
)
def test_saliency_answers_the_question(measured: pd.DataFrame, said: str) -> None:
    text = conclusions.saliency(measured, CHECKED)
    assert said in text
    assert "Of 1 pair of" in text
    assert "gradient 0.25" in text
    stands = "the paper's sentence stands" in text
    assert stands == ("1 order" not in text or "0 put" in text)


def test_audit_of_the_real_data_finds_what_is_known(tin_data: Path) -> None:
    data = open_data(tin_data)
    assert "These are the counts known of the official data set." in conclusions.audit(
        audit(data), data
    )
