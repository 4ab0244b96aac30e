"""Closing sentences about a real run."""

from types import SimpleNamespace

import pandas as pd
import pytest

from tin_lib.analysis import errors, runs
from tin_lib.analysis.compare import pairwise
from tin_lib.analysis.ensemble import ensemble_table, error_correlation, with_votes
from tin_lib.analysis.ensemble import errors as network_errors
from tin_lib.lab import conclusions
from tin_lib.lab.conclusions.classes import (
    class_errors_text,
    judge_class_errors,
)
from tin_lib.lab.conclusions.votes import (
    judge_ensemble,
)


def test_training_of_a_real_fit(run: runs.Run) -> None:
    made = run.fit("convnet9")
    text, s = conclusions.training(made), made.summary
    assert f"**{100 * s['val_accuracy']:.1f} % of the validation images**" in text
    assert "chance level is 10.0 %" in text
    assert f" on {s['device']} in {s['precision']}." in text
    older = SimpleNamespace(**vars(made), class_ids=made.class_ids, history=made.history)
    older.summary = {key: value for key, value in s.items() if key != "precision"}
    older.predictions = made.predictions
    assert f" on {s['device']}. The" in conclusions.training(older)  # type: ignore[arg-type]
    assert conclusions.penalty_share(made).startswith("This recipe uses no penalties")


def test_ensemble_of_a_real_run(run: runs.Run) -> None:
    table, tables = ensemble_table(run, fallback="vgg_like"), with_votes(run, fallback="vgg_like")
    wrong = network_errors({name: tables[name] for name in run.fits})
    compared = pairwise(tables, len(run.first.class_ids))
    record = judge_ensemble(table, compared, error_correlation(wrong), wrong)
    assert record.networks == 2
    assert {vote.name for vote in record.votes} | set(record.at_chance) >= {"soft vote"}
    assert "9-layer ConvNet" in conclusions.ensemble(
        table, compared, error_correlation(wrong), wrong
    )


ISSUES = pd.DataFrame([("val", "a"), ("val", "a"), ("train", "a")], columns=["split", "file"])


def test_class_errors_of_a_real_run(run: runs.Run) -> None:
    made = run.first
    named = errors.short_names(made.class_ids, made.class_names)
    table, data = made.predictions("val"), run.data()
    pairs = errors.most_confused(errors.confusion_matrix(table, named), named, 100)
    regression = errors.box_regression(errors.box_table(table, data.val.boxes))
    per_class = errors.per_class(table, named)
    record = judge_class_errors(made.name, per_class, pairs, regression, ISSUES)
    assert record.accuracy == pytest.approx(made.summary["val_accuracy"])
    assert record.confused_images == pairs["count"].max()
    assert class_errors_text(record) == conclusions.class_errors(
        made.name, per_class, pairs, regression, ISSUES
    )
