"""``RUN/report/``: the executed notebooks as pages, and an index with results and provenance.

Static files that a browser opens from the file system without a network. The report is built from
the run's folder alone, so that the report of an unfinished run shows the finished parts.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from tin_lib import files
from tin_lib.lab.figures import training
from tin_lib.runner.report import pages, plots, tables
from tin_lib.runner.report.provenance import provenance
from tin_lib.runner.report.results import collect_results
from tin_lib.runner.workbook import state
from tin_lib.runner.workbook.spec import Extra, Workbook, default_folder

STATES = {
    state.OK: "",
    state.FAILED: "failed",
    state.STARTED: "interrupted",
    state.BLOCKED: "not run",
}
# What a page may load, should text from a file get into it as HTML after all: no script but the
# report's own files, in particular none in the page, and nothing from a network.
POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file: 'unsafe-inline'; "
    "img-src 'self' file: data: blob:; media-src 'self' file: data:; font-src 'self' file: data:; "
    "base-uri 'none'; form-action 'none'"
)
# Types of a record's entries that the report uses; entries of other types are left out.
KINDS = {
    "status": str,
    "error": str,
    "written": str,
    "data": str,
    "machine": str,
    "seconds": int | float,
    "parameters": dict,
    "versions": dict,
}


@dataclass(frozen=True)
class Entry:
    """What the report knows of one step."""

    name: str
    record: dict[str, Any]
    page: pages.Page | None  # None if its notebook was not executed
    shared: bool = False  # whether its notebook has another name

    @property
    def state(self) -> str:
        """Its state; empty if it succeeded."""
        return STATES.get(self.record.get("status", ""), "not run yet")

    @property
    def failed(self) -> bool:
        """Whether it was started, or should have been, and did not finish."""
        return bool(self.record) and bool(self.state)

    @property
    def reason(self) -> str:
        """Why it did not finish."""
        return str(self.record.get("error") or "")

    @property
    def title(self) -> str:
        """Its notebook's title, with the step's name where several steps may share the notebook."""
        if self.page is None:
            return self.name
        return f"{self.name}: {self.page.title}" if self.shared else self.page.title


@dataclass(frozen=True)
class Report:
    """The report of a run."""

    run: Path
    workbook: Workbook

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return self.run / "report"

    @cached_property
    def entries(self) -> list[Entry]:
        """The steps in reading order, of the study and of each group of which one has begun."""
        found = [self.entry(name) for name in self.workbook.steps]
        begun = {self.workbook.part(entry.name) for entry in found if entry.record or entry.page}
        return [entry for entry in found if self.workbook.part(entry.name) in (begun or {""})]

    @property
    def made(self) -> set[str]:
        """The names of the steps that have a page."""
        return {entry.name for entry in self.entries if entry.page}

    def entry(self, name: str) -> Entry:
        """One step: its record and its page."""
        page = pages.read_page(self.run / "notebooks" / f"{name}.ipynb", name)
        shared = self.workbook.notebook(name).stem != name
        found = state.read(self.run, name).items()
        record = {key: value for key, value in found if isinstance(value, KINDS.get(key, object))}
        return Entry(name, record, page, shared)

    def write(self, name: str, template: str, **values: Any) -> Path:
        """Fill a template and write it as a page."""
        from jinja2 import Environment, PackageLoader

        loader = PackageLoader("tin_lib.runner.report")
        environment = Environment(loader=loader, autoescape=True, trim_blocks=True)
        path = self.folder / f"{name}.html"
        page = environment.get_template(template).render(values, policy=POLICY)
        files.atomic_write(path, page)
        return path


def build(run: str | Path, workbook: Workbook) -> Path:
    """Write the report of the run and return the path of its index page."""
    report = Report(Path(run), workbook)
    write_assets(report.folder / "assets")
    extras = [e for e in workbook.extras if copy_extra(report.run, report.folder, e)]
    made = [entry for entry in report.entries if entry.page]
    for number, entry in enumerate(made):
        write_page(report, entry, made[:number][-1:], made[number + 1 :][:1], extras)
    write_glossary(report)
    return write_index(report, extras)


def write_assets(folder: Path) -> None:
    """Style, script and the one copy of plotly.js that all pages share."""
    from plotly.offline import get_plotlyjs

    source = resources.files("tin_lib.runner.report") / "assets"
    style = (source / "report.css").read_text(encoding="utf-8") + code_colours()
    files.atomic_write(folder / "report.css", style)
    files.atomic_write(folder / "report.js", (source / "report.js").read_text(encoding="utf-8"))
    files.atomic_write(folder / "plotly.min.js", get_plotlyjs())


def code_colours() -> str:
    """Syntax colours for light and for dark."""
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def copy_extra(run: Path, folder: Path, extra: Extra) -> bool:
    """Copy an extra's folder into the report; False if the run has none.

    Links that leave the run are not followed: the report is passed on to others.
    """
    source, target = run / extra.folder, folder / extra.folder
    shutil.rmtree(target, ignore_errors=True)
    if not (source / extra.page).is_file() or leaving(run, source, ["", extra.page]):
        return False
    shutil.copytree(source, target, ignore=lambda part, names: leaving(run, part, names))
    return True


def leaving(run: Path, folder: str | Path, names: Sequence[str]) -> list[str]:
    """The names in a folder that are links out of the run."""
    root = os.path.realpath(run)
    paths = {name: os.path.realpath(Path(folder, name)) for name in names}
    return [name for name, path in paths.items() if os.path.commonpath([root, path]) != root]


def write_page(
    report: Report, entry: Entry, before: list[Entry], after: list[Entry], extras: list[Extra]
) -> None:
    """One notebook's page, with what went wrong and links to what belongs to it above."""
    assert entry.page is not None
    report.write(
        entry.name,
        "notebook.html",
        title=f"{entry.title} – {report.workbook.title}",
        figures=entry.page.figures,
        previous=next(iter(before), None),
        next=next(iter(after), None),
        failed=entry if entry.failed else None,
        extras=[extra for extra in extras if extra.step == entry.name],
        body=pages.without_dead_links(entry.page.body, report.made),
    )


def write_glossary(report: Report) -> None:
    """The glossary that the notebooks link to, as a page of the report."""
    from nbconvert.filters import markdown2html

    source = default_folder().parent / "docs" / "GLOSSARY.md"
    if source.is_file():
        body = markdown2html(source.read_text(encoding="utf-8"))
        title = f"Glossary – {report.workbook.title}"
        report.write("glossary", "notebook.html", title=title, body=body)


def write_index(report: Report, extras: list[Extra]) -> Path:
    """The index: what the study is, contents, results, and how it was made."""
    from nbconvert.filters import markdown2html

    results = collect_results(report.run)
    bars = chart(results)
    records = {entry.name: entry.record for entry in report.entries}
    return report.write(
        "index",
        "index.html",
        title=report.workbook.title,
        about=markdown2html(report.workbook.about),
        failed=[entry for entry in report.entries if entry.failed],
        steps=report.entries,
        extras=extras,
        result_headings=list(tables.HEADINGS.values()),
        results=tables.result_rows(results),
        chart=bars,
        figures=bool(bars),
        facts=provenance(report.run, records, results),
        step_headings=tables.STEP_HEADINGS,
        step_rows=tables.step_rows(records),
    )


def chart(results: pd.DataFrame) -> str:
    """The validation accuracies beside the paper's as a figure; empty without any."""
    known = results[results.val_accuracy.notna()]
    if known.empty:
        return ""
    names = [tables.title(name, network) for name, network in zip(known.name, known.network)]
    figure = training.results(known.assign(name=names))
    return plots.figure_div(json.loads(figure.to_json()), "Accuracy of each network")
