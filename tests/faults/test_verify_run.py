"""`tin verify` of a whole run: votes, tables and the report follow from the fits, which belong
together."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_run import make_run

from tin_lib import files, train
from tin_lib.__main__ import main
from tin_lib.analysis.runs import open_run
from tin_lib.data import open_data
from tin_lib.recipes import Recipe
from tin_lib.runner.report import build
from tin_lib.runner.report.results import SUMMARIES, collect_results
from tin_lib.runner.verification import recorded, votes
from tin_lib.runner.verification.checks import UNKNOWN, Check
from tin_lib.runner.verification.run import verify
from tin_lib.runner.workbook import state
from tin_lib.runner.workbook.spec import load_workbook, of_profile

KIND = "tampered result"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as `tin run` leaves it, without the notebooks that verify does not read."""
    folder = make_run(tmp_path_factory.mktemp("made") / "run").path
    opened = open_run(folder)
    for name, make in votes.makers(opened, list(opened.fits), "vgg_like").items():
        votes.write(folder / "ensemble" / name, make())
    read = state.files_digest(folder, [SUMMARIES])
    given = {"fallback": "vgg_like", "members": ""}
    state.write(folder, "06_ensemble", state.OK, read=read, parameters=given)
    files.atomic_write(folder / "notebooks" / "06_ensemble.ipynb", empty_notebook())
    files.write_json(folder / "run.json", {"data": "sample"})
    files.write_table(collect_results(folder), folder / "results.csv")
    build.build(folder, load_workbook(of_profile("sample")))
    return folder


def empty_notebook() -> str:
    """An executed notebook with nothing in it."""
    import nbformat

    return nbformat.writes(nbformat.v4.new_notebook())


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "run"))


def wrong(folder: Path) -> dict[str, Check]:
    """The checks that show a difference, by name, without predicting."""
    return {check.name: check for check in verify(folder, quick=True) if check.wrong}


def test_an_untouched_run_is_well(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(made)]) == 0
    shown = capsys.readouterr().out
    assert "2 networks, one class order, the same data" in shown
    assert "4 rows of results" in shown
    assert shown.count("as counted from the members' predictions") == 5


def edit(name: str, before: str, after: str) -> Callable[[Path], None]:
    """Replace text in a file of the run."""

    def change(run: Path) -> None:
        text = (run / name).read_text(encoding="utf-8")
        assert before in text, name
        (run / name).write_text(text.replace(before, after, 1), encoding="utf-8")

    return change


def raise_number(name: str, column: str) -> Callable[[Path], None]:
    """Add 0.1 to the first number of a table's column."""

    def change(run: Path) -> None:
        table = files.read_table(run / name)
        table.loc[0, column] = str(float(table[column].iloc[0]) + 0.1)
        files.write_table(table, run / name)

    return change


def other_fit(run: Path) -> None:
    """One network trained on other classes."""
    data = open_data("sample", classes=5, per_class=10)
    recipe = Recipe("vgg_like", epochs=1, lr=0.01, width=0.25)
    shutil.rmtree(run / "networks" / "vgg_like")
    train.fit(recipe, data, run / "networks" / "vgg_like", device="cpu", progress=None)


def other_prediction(run: Path) -> None:
    """One prediction of a member changed, and the digests of its fit removed."""
    path = run / "networks" / "vgg_like" / "predictions_test.csv"
    table = files.read_table(path)
    other = next(name for name in sorted(set(table.predicted)) if name != table.predicted[0])
    table["predicted"] = other
    files.write_table(table, path)
    summary = files.read_object(path.with_name("summary.json"))
    files.write_json(path.with_name("summary.json"), summary | {recorded.KEY: {}})


CHANGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "accuracy of a vote raised": (
        raise_number("ensemble/summary.csv", "accuracy"),
        "ensemble/summary.csv",
    ),
    "interval of a vote changed": (
        raise_number("ensemble/accuracy.csv", "low"),
        "ensemble/accuracy.csv",
    ),
    "correlation of errors changed": (
        raise_number("ensemble/error_correlation.csv", "vgg_like"),
        "ensemble/error_correlation.csv",
    ),
    "a vote on a test image changed": (
        edit("ensemble/test_majority_vote.txt", " n", " x"),
        "ensemble/test_majority_vote.txt",
    ),
    "a table of votes removed": (
        lambda run: (run / "ensemble" / "accuracy.csv").unlink(),
        "ensemble/accuracy.csv",
    ),
    "all votes removed": (lambda run: shutil.rmtree(run / "ensemble"), "ensemble"),
    "a member's predictions changed": (other_prediction, "ensemble/test_majority_vote.txt"),
    "a result changed": (raise_number("results.csv", "val_accuracy"), "results.csv"),
    "results removed": (lambda run: (run / "results.csv").unlink(), "results.csv"),
    "a figure of the report changed": (
        edit("report/index.html", "<td>0.1", "<td>0.9"),
        "report/index.html",
    ),
    "the report removed": (lambda run: shutil.rmtree(run / "report"), "report/index.html"),
    "a step that failed": (edit("steps/06_ensemble.json", '"ok"', '"failed"'), "steps"),
    "an executed notebook removed": (
        lambda run: (run / "notebooks" / "06_ensemble.ipynb").unlink(),
        "steps",
    ),
    "a network trained on other classes": (other_fit, "networks belong together"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_named(run: Path, fault: Any, name: str) -> None:
    change, shown_by = CHANGES[name]
    with fault(KIND, name):
        change(run)
        assert shown_by in wrong(run)


def test_a_network_trained_after_the_vote(run: Path, fault: Any) -> None:
    with fault(KIND, "a network trained after the vote"):
        path = run / "networks" / "vgg_like" / "summary.json"
        files.write_json(path, files.read_object(path) | {"seconds": 1.0})
        found = wrong(run)
        assert "run step 06 again" in found["ensemble is of these networks"].detail
        assert "networks/vgg_like: history and summary" in found


def test_strange_files_are_named(run: Path, fault: Any) -> None:
    with fault(KIND, "files that no run writes"):
        for name in ("notes.txt", "networks/readme.txt", "ensemble/old.csv"):
            (run / name).write_text("x")
        unknown = {check.name for check in verify(run, quick=True) if check.state == UNKNOWN}
        assert unknown == {"notes.txt", "networks/readme.txt", "ensemble/old.csv"}


def test_an_imported_network_is_checked(made: Path, tmp_path: Path, fault: Any) -> None:
    file, run = tmp_path / "published.safetensors", tmp_path / "imported"
    fit = made / "networks" / "vgg_like"
    assert main(["publish", str(fit), "-o", str(file)]) == 0
    assert main(["import", str(file), "--run", str(run), "--data", "sample"]) == 0
    assert main(["verify", str(run)]) == 0
    with fault(KIND, "weights of an imported network changed"):
        shutil.copy(fit / "weights.safetensors", run / "networks" / "vgg_like")
        assert "networks/vgg_like: weights.safetensors" in wrong(run)


def test_a_sweeps_table_is_that_of_its_fits(made: Path, tmp_path: Path, fault: Any) -> None:
    sweep = tmp_path / "sweep"
    shutil.copytree(made / "networks" / "vgg_like", sweep / "lr=0.01")
    accuracy = files.read_object(sweep / "lr=0.01" / "summary.json")["val_accuracy"]
    table = f"lr,val_accuracy,fit,error\n0.01,{accuracy},lr=0.01,\n"
    (sweep / "sweep.csv").write_text(table)
    assert not wrong(sweep)
    with fault(KIND, "an accuracy in a sweep's table"):
        (sweep / "sweep.csv").write_text(table.replace(str(accuracy), "0.9"))
        assert "val_accuracy of lr=0.01" in wrong(sweep)["sweep.csv"].detail
