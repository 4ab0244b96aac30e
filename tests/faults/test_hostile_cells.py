"""Cells that a spreadsheet would run as a formula; JSON, YAML and notebooks meant to do harm."""

import csv
import json
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import workbook_toys
from hypothesis import given, settings
from hypothesis import strategies as st

from tin_lib import files
from tin_lib.analysis import submission
from tin_lib.runner.report import build
from tin_lib.runner.workbook import state
from tin_lib.runner.workbook.spec import load_workbook

FORMULAS = (
    "=1+1",
    '=HYPERLINK("http://example.org","x")',
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "-cmd|' /C calc'!A0",
    "'=1",
    "''=1",
)
NUMBERS = ("-1.5", "+3", "-2e-05", "-.5", "00012")


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_formula_is_text_in_a_spreadsheet(tmp_path: Path, fault: Callable, cell: str) -> None:
    """As cell, as a column's name and in an index; read again it is as it was."""
    table = pd.DataFrame({"name": [cell, "vgg16"], cell: ["a", cell], "value": [-1.5, 2.0]})
    with fault("spreadsheet formula in a table", repr(cell)):
        files.write_table(table, tmp_path / "a.csv")
        with open(tmp_path / "a.csv", newline="") as file:
            cells = [text for row in csv.reader(file) for text in row]
        risky = [text for text in cells if text[:1] in tuple("=+-@\t\r")]
        assert risky == ["-1.5"]  # the number
        assert cells.count(f"'{cell}") == 3
        again = files.read_table(tmp_path / "a.csv", dtype={"value": float})
        pd.testing.assert_frame_equal(again, table, check_dtype=False)
    with fault("spreadsheet formula in a table", f"index {cell!r}"):
        files.write_table(table.set_index("name"), tmp_path / "b.csv", index=True)
        again = files.read_table(tmp_path / "b.csv", dtype={"value": float})
        assert again["name"].tolist() == table["name"].tolist()


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n")), min_size=1
    )
)
@settings(max_examples=60, deadline=None)
def test_any_text_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("table") / "a.csv"
    table = pd.DataFrame({"name": ["x", *texts], "other": ["y"] * (len(texts) + 1)})
    files.write_table(table, path)
    assert files.read_table(path)["name"].tolist() == table["name"].tolist()


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_stay_numbers(tmp_path: Path, number: str) -> None:
    files.write_table(pd.DataFrame({"text": [number], "n": [-1.5]}), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == f"text,n\n{number},-1.5\n"


def test_a_submission_stays_in_the_challenges_format(tmp_path: Path) -> None:
    path = tmp_path / "submission.txt"
    submission.write_submission(path, ["test_0.JPEG", "-1.JPEG"], ["n00000001", "=n2"])
    assert path.read_text() == "test_0.JPEG n00000001\n-1.JPEG =n2\n"


JSON = {
    "deep": "[" * 100_000,
    "deep and closed": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "a long number": '{"a": ' + "9" * 100_000 + "}",
    "a list": "[]",
    "NaN alone": "NaN",
    "not UTF-8": "\udcff",
    "a second value": "{} {}",
}


@pytest.mark.parametrize("name", JSON)
def test_json(tmp_path: Path, fault: Callable, name: str) -> None:
    path = tmp_path / "meta.json"
    path.write_text(JSON[name], encoding="utf-8", errors="surrogateescape")
    with fault("hostile text", f"JSON: {name}"):
        with pytest.raises(ValueError) as caught:
            files.read_object(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 1000


def bomb() -> str:
    """Nine levels of nine aliases: 387 million texts, if they were written out."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    return "\n".join([*levels, "steps: *a8", ""])


YAML = {
    "a Python object": 'steps: !!python/object/apply:os.system ["touch MARKER"]\n',
    "a new Python object": '!!python/object/new:os.system ["touch MARKER"]\n',
    "a Python name": "steps: [!!python/name:os.system ]\n",
    "aliases without end": bomb(),
    "a list in itself": "steps: &a [*a]\n",
    "deep": "steps: " + "[" * 20_000 + "\n",
    "a long number": f"steps: [{'9' * 100_000}]\n",
    "an impossible date": "steps: [2020-99-99]\n",
    "two documents": "steps: []\n---\nsteps: []\n",
    "a step outside": "steps: [{name: ../../escaped}]\n",
    "an extra outside": "steps: []\nextras: [{title: a, folder: .., page: a, step: b}]\n",
    "an absolute extra": "steps: []\nextras: [{title: a, folder: /etc, page: passwd, step: b}]\n",
    "a drive": "steps: []\nextras: [{title: a, folder: 'C:\\a', page: a, step: b}]\n",
}


@pytest.mark.parametrize("name", YAML)
def test_workbooks(tmp_path: Path, fault: Callable, name: str) -> None:
    path, marker = tmp_path / "workbook.yaml", tmp_path / "marker"
    path.write_text(YAML[name].replace("MARKER", str(marker)))
    started = time.monotonic()
    with fault("hostile text", f"workbook: {name}"):
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            load_workbook(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 100_000
        assert not marker.exists()
        assert time.monotonic() - started < 20


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of two steps; its workbook is beside it."""
    extra = {"title": "B", "folder": "saliency/browser", "page": "index.html", "step": "01_a"}
    book = workbook_toys.write_workbook(tmp_path / "book", {"01_a": {}, "02_b": {}}, extras=[extra])
    run = tmp_path / "run"
    for name in ("01_a", "02_b"):
        nbformat.write(nbformat.read(book / f"{name}.ipynb", 4), run_file(run, name))
        state.write(run, name, state.OK, seconds=1.0)
    return run


def run_file(run: Path, name: str) -> Path:
    path = run / "notebooks" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


NOTEBOOKS = {
    "a list": [],
    "no cells": {"nbformat": 4, "nbformat_minor": 5, "metadata": {}},
    "cells that are text": {"cells": "x", "nbformat": 4, "nbformat_minor": 5, "metadata": {}},
    "a figure that is none": "figure",
    "a height that is no number": "height",
}


def hostile_notebook(name: str) -> object:
    if not isinstance(NOTEBOOKS[name], str):
        return NOTEBOOKS[name]
    data = ["x"] if name == "a figure that is none" else {"data": [], "layout": {"height": "x;y"}}
    output = {"output_type": "display_data", "metadata": {}}
    output["data"] = {"application/vnd.plotly.v1+json": data}  # type: ignore[assignment]
    cell = {"cell_type": "code", "source": "", "metadata": {}, "outputs": [output]}
    cells = [cell | {"execution_count": None, "id": "a"}]
    return {"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_spoils_its_own_page_only(run: Path, fault: Callable, name: str) -> None:
    run_file(run, "01_a").write_text(json.dumps(hostile_notebook(name)))
    with fault("hostile text", f"notebook: {name}"):
        index = build.build(run, load_workbook(run.parent / "book"))
        assert "02_b.html" in index.read_text()
        assert (index.parent / "02_b.html").is_file()


@pytest.mark.parametrize("value", [[1], {"a": 1}, 7, "text", None])
def test_records_of_other_types(run: Path, fault: Callable, value: object) -> None:
    for key in ("status", "error", "seconds", "parameters", "versions", "machine", "data"):
        record = {"status": "ok", "seconds": 1.0, key: value}
        files.write_json(state.record_path(run, "01_a"), record)
        with fault("hostile text", f"record: {key} is {value!r}"):
            assert build.build(run, load_workbook(run.parent / "book")).is_file()


@pytest.mark.parametrize("kind", ["file", "folder", "all of it"])
def test_links_out_of_the_run_are_not_copied_into_the_report(
    run: Path, fault: Callable, kind: str
) -> None:
    secret = run.parent / "secret"
    (secret / "deep").mkdir(parents=True)
    for path in (secret / "index.html", secret / "deep" / "key"):
        path.write_text("secret")
    folder = run / "saliency" / "browser"
    folder.parent.mkdir()
    if kind == "all of it":
        folder.symlink_to(secret)
    else:
        files.atomic_write(folder / "index.html", "<title>Browse</title>")
        files.atomic_write(folder / "maps" / "a.js", "1")
        (folder / "b.js").symlink_to("maps/a.js")  # within the run: kept
        (folder / "link").symlink_to(secret if kind == "folder" else secret / "index.html")
    with fault("symbolic link out of a run", kind):
        build.build(run, load_workbook(run.parent / "book"))
        report = run / "report"
        copied = [path for path in report.rglob("*") if path.is_file()]
        assert not any(path.read_bytes() == b"secret" for path in copied)
        assert kind == "all of it" or (report / "saliency" / "browser" / "b.js").is_file()
        assert (secret / "deep" / "key").read_text() == "secret"
