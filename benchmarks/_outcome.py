"""Results of the full study's fits: votes, tables, figures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pandas as pd

from tin_lib import files
from tin_lib.analysis import ensemble, runs, submission
from tin_lib.runner.report.results import collect_results

from time_to_accuracy import mean_sd, seconds_to  # isort: skip

# Members of each vote, and the one whose label decides a tie: the paper's three networks, and the
# three modern ones expected to be most accurate. All votes have the same weight, so the small
# networks would only dilute them.
VOTES = {
    "paper": (("convnet9", "vgg_like", "vgg16"), "vgg16"),
    "modern": (("convnet9", "vgg16", "resnet18"), "resnet18"),
}
SUMMARY = "summary.json"
TARGET = 0.535  # validation accuracy of the paper's best network


class Skipped(Exception):
    """Why an item is left for a later session."""


def ensembles(out: Path) -> None:
    """Votes of each group, with those of its networks that are finished."""
    for group, (wanted, fallback) in VOTES.items():
        members = [name for name in wanted if (out / group / "networks" / name / SUMMARY).is_file()]
        if len(members) > 1:
            vote(out / group, members, fallback if fallback in members else members[-1])


def vote(folder: Path, members: list[str], fallback: str) -> None:
    """Accuracies, error correlations and the challenge's test files of one group."""
    without = [m for m in members if not (folder / "networks" / m / "logits_test.npy").is_file()]
    if without:
        raise FileNotFoundError(f"no scores of {', '.join(without)}: unpack scores-*.tar.gz too")
    run = runs.open_run(folder)
    table = ensemble.ensemble_table(run, members, fallback)
    files.write_table(table, folder / "ensemble" / "summary.csv")
    errors = ensemble.errors(ensemble.predictions(run, "val", members))
    correlation = ensemble.error_correlation(errors)
    files.write_table(correlation, folder / "ensemble" / "error_correlation.csv", index=True)
    for kind, test in (
        ("majority", ensemble.vote(run, "test", members, fallback)),
        ("soft", ensemble.soft(run, "test", members)),
    ):
        path = folder / "ensemble" / f"submission_{kind}.txt"
        submission.write_submission(path, list(test.file), list(test.predicted))


def tables(out: Path, plan: dict[str, dict[str, Any]]) -> None:
    """results.csv, histories.csv and time_to_accuracy.json, of the finished fits."""
    groups = [g for g in ("paper", "modern", "fast") if fits(out, g)]
    if not groups:
        raise Skipped("no fit has finished yet")
    results = pd.concat([collect_results(out / g).assign(recipe=g) for g in groups])
    best = (results.recipe == "modern") & (results["name"] == "resnet18")
    results.insert(0, "recipe", results.pop("recipe").mask(best, "best"))
    keys = results.recipe + "/" + results["name"]
    notes = [plan.get(key, {}).get("note", "") for key in keys]  # a vote has none
    files.write_table(results.assign(note=notes), out / "results.csv")
    histories = [fit_history(folder, out) for folder in fits(out)]
    files.write_table(pd.concat(histories), out / "histories.csv")
    files.write_json(out / "time_to_accuracy.json", times(out))


def fit_history(folder: Path, out: Path) -> pd.DataFrame:
    """A fit's epochs, with recipe and network in front."""
    table = runs.open_fit(folder).history()
    table.insert(0, "network", folder.name)
    table.insert(0, "recipe", folder.relative_to(out).parts[0])
    return table


def times(out: Path) -> dict[str, Any]:
    """Seconds of training to the paper's best accuracy, for every fit; mean and sd of fast's seeds.

    ``compiled``: the first epoch as long as the median of the others, since it compiled as well.
    """
    found = {}
    for folder in fits(out):
        history = runs.open_fit(folder).history()
        seconds, epoch = seconds_to(history, TARGET)
        if len(history) > 1:
            history.loc[0, "seconds"] = history.seconds[1:].median()
        compiled, _ = seconds_to(history, TARGET)
        row = {"epoch": epoch, "seconds": seconds, "compiled": compiled}
        found[str(folder.relative_to(out))] = row
    fast = [row["seconds"] for name, row in found.items() if name.startswith("fast/")]
    there = [seconds for seconds in fast if seconds is not None]
    mean, sd = mean_sd(there) if there else (None, None)
    told = {"seeds": len(fast), "reached": len(there), "mean": mean, "sd": sd}
    return {"accuracy": TARGET, "fast": told, "fits": found}


def figures(out: Path) -> None:
    """Curves of every fit as pages that share one copy of plotly.js."""
    if importlib.util.find_spec("plotly") is None:
        raise Skipped("no plotly here")
    from tin_lib.lab.figures import training

    (out / "figures").mkdir(exist_ok=True)
    for folder in fits(out):
        name = "-".join(folder.relative_to(out).parts[::2])
        figure = training.curves(runs.open_fit(folder).history())
        figure.update_layout(title=name)
        figure.write_html(out / "figures" / f"{name}.html", include_plotlyjs="directory")


def fits(out: Path, group: str = "*") -> list[Path]:
    """Folders of the finished fits."""
    return sorted(path.parent for path in out.glob(f"{group}/networks/*/{SUMMARY}"))
