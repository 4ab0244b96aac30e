"""Closing sentences about votes."""

import numpy as np
import pandas as pd
import pytest

from tin_lib.analysis.ensemble import error_correlation
from tin_lib.lab.conclusions.votes import (
    EnsembleRecord,
    VoteVerdict,
    ensemble_text,
    judge_ensemble,
)


def vote_table(
    singles: dict[str, float], votes: dict[str, float], at_chance: tuple[str, ...] = ()
) -> pd.DataFrame:
    rows = [{"name": n, "kind": "network", "accuracy": a} for n, a in singles.items()]
    rows += [{"name": n, "kind": "vote", "accuracy": a} for n, a in votes.items()]
    table = pd.DataFrame(rows)
    table = table.assign(members=", ".join(singles), above_chance=~table.name.isin(at_chance))
    return table.assign(low=table.accuracy - 0.02, high=table.accuracy + 0.02)


def outcome_table(*outcomes: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(outcomes, columns=["a", "b", "outcome"])


WRONG = pd.DataFrame({"vgg16": [True, False], "alexnet": [True, True]})


@pytest.mark.parametrize(
    ("against", "outcome"),
    [
        (("yes", "yes"), "yes"),
        (("yes", "undecided"), "undecided"),
        (("yes", "no"), "no"),
        (("undecided", "undecided"), "undecided"),
    ],
)
def test_a_vote_is_better_only_than_all_it_was_tested_against(
    against: tuple[str, str], outcome: str
) -> None:
    table = vote_table({"vgg16": 0.5, "alexnet": 0.5}, {"soft vote": 0.6})
    compared = outcome_table(
        ("soft vote", "vgg16", against[0]), ("soft vote", "alexnet", against[1])
    )
    record = judge_ensemble(table, compared, error_correlation(WRONG), WRONG)
    assert record.best == ("vgg16", "alexnet")
    assert record.votes[0].outcome == outcome
    assert record.missed == 0.5
    assert np.isnan(record.correlation)


def test_networks_and_votes_at_chance_get_no_verdict() -> None:
    table = vote_table({"a": 0.1, "b": 0.1}, {"soft vote": 0.1}, at_chance=("a", "b", "soft vote"))
    record = judge_ensemble(table, outcome_table(), error_correlation(WRONG), WRONG)
    assert record.votes == ()
    assert record.at_chance == ("a", "b", "soft vote")
    assert "McNemar" not in ensemble_text(record)
    learnt = vote_table({"a": 0.1, "b": 0.1}, {"soft vote": 0.3}, at_chance=("a", "b"))
    alone = judge_ensemble(learnt, outcome_table(), error_correlation(WRONG), WRONG).votes[0]
    assert (alone.against, alone.outcome) == ((), "undecided")


def test_one_network_has_no_correlation_of_errors() -> None:
    wrong = WRONG[["vgg16"]]
    record = judge_ensemble(
        vote_table({"vgg16": 0.5}, {}), outcome_table(), error_correlation(wrong), wrong
    )
    assert (record.networks, record.votes) == (1, ())
    assert "nan" not in ensemble_text(record)


def test_the_text_of_an_ensemble_word_for_word() -> None:
    votes = (
        VoteVerdict("majority vote", 0.49, 0.48, 0.5, (("vgg16", "no"), ("convnet9", "yes"))),
        VoteVerdict("soft vote", 0.53, 0.52, 0.54, (("vgg16", "yes"), ("convnet9", "yes"))),
    )
    record = EnsembleRecord(("vgg16",), 0.512, votes, ("alexnet",), 6, 3, 0.7322, 0.25)
    assert ensemble_text(record) == (
        "- The best single network is VGG-16 (51.2 %); better than every network: majority vote "
        "**no** (49.0 %), soft vote **yes** (53.0 %).\n"
        "- No verdict for AlexNet: not clearly above chance.\n"
        "- The majority vote classifies **49.0 %** of the images correctly (95 % interval 48.0 % "
        "to 50.0 %). Better than every single network: **no** (yes: 9-layer ConvNet; no: VGG-16).\n"
        "- The soft vote classifies **53.0 %** of the images correctly (95 % interval 52.0 % to "
        "54.0 %). Better than every single network: **yes** (yes: VGG-16 and 9-layer ConvNet).\n"
        "- Outcomes: exact McNemar tests on the same images, Holm's correction over 6 "
        "comparisons. A vote counts as better only if it is better than each network, since the "
        "best one was chosen on these images.\n"
        "- The mean correlation of errors is 0.732 (0.732 in the paper, for three networks).\n"
        "- Every network misclassifies 25.0 % of the images; at least one classifies the "
        "other 75.0 % correctly."
    )
