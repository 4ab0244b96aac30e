"""``RUN/report/``: the executed notebooks as pages, and an index with results and provenance.

Static files that a browser opens from the file system without a network. The report is built from
what lies in the run's folder alone, so that one of a half-finished run says how far it got.
"""

import html
import shutil
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import pandas as pd

from tin_lib import files
from tin_lib.runner.report import pages
from tin_lib.runner.report.results import collect_results
from tin_lib.runner.report.tables import definitions, results_table, steps_table
from tin_lib.runner.workbook import state
from tin_lib.runner.workbook.spec import Extra, Workbook

STATES = {
    state.OK: "",
    state.FAILED: "failed",
    state.STARTED: "cut off while running",
    state.BLOCKED: "not run",
}


def build(run: str | Path, workbook: Workbook) -> Path:
    """Write the report of the run and return the path of its index page."""
    run = Path(run)
    folder = run / "report"
    write_assets(folder / "assets")
    extras = [extra for extra in workbook.extras if copy_extra(run, folder, extra)]
    made = make_pages(run, workbook)
    for name, page in made.items():
        above = notices(run, name, extras)
        title = f"{page.title} – {workbook.title}"
        links = navigation(made, name)
        write_html(folder / f"{name}.html", title, links, above + page.body, page.figures)
    index = index_body(run, workbook, made, extras)
    heading = f"<h1>{html.escape(workbook.title)}</h1>"
    write_html(folder / "index.html", workbook.title, "", heading + index, figures=False)
    return folder / "index.html"


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
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def copy_extra(run: Path, folder: Path, extra: Extra) -> bool:
    """Copy an extra's folder into the report; False where the run has none."""
    source, target = run / extra.folder, folder / extra.folder
    shutil.rmtree(target, ignore_errors=True)
    if not (source / extra.page).is_file():
        return False
    shutil.copytree(source, target)
    return True


def make_pages(run: Path, workbook: Workbook) -> dict[str, pages.Page]:
    """The pages, in reading order, of the steps whose notebooks were executed."""
    read = {n: pages.read_notebook(run / "notebooks" / f"{n}.ipynb") for n in workbook.steps}
    return {name: pages.render(found, name) for name, found in read.items() if found is not None}


def notices(run: Path, name: str, extras: list[Extra]) -> str:
    """What stands above a page: what went wrong, and links to what belongs to it."""
    stamp = state.read(run, name)
    parts = []
    if STATES.get(stamp.get("status", ""), ""):
        parts.append(failure(name, stamp))
    for extra in extras:
        if extra.step == name:
            link = f"{extra.folder}/{extra.page}"
            parts.append(f'<p class="extra"><a href="{link}">{html.escape(extra.title)}</a></p>')
    return "".join(parts)


def failure(name: str, stamp: dict[str, Any]) -> str:
    """A box that says what became of a step that did not finish."""
    words = html.escape(f"{name}: {STATES[stamp['status']]}")
    reason = html.escape(str(stamp.get("error") or ""))
    return f'<div class="failure" role="alert"><strong>{words}</strong> {reason}</div>'


def navigation(made: dict[str, pages.Page], name: str) -> str:
    """Links to the page before, to the contents and to the page after."""
    names = list(made)
    place = names.index(name)
    back = link(made, names[:place][-1:], "← {}", "prev")
    on = link(made, names[place + 1 :][:1], "{} →", "next")
    return f'{back}<a href="index.html">Contents</a>{on}'


def link(made: dict[str, pages.Page], names: list[str], text: str, relation: str) -> str:
    """A link to the page named, or a place holder where ``names`` is empty."""
    if not names:
        return "<span></span>"
    words = html.escape(text.format(made[names[0]].title))
    return f'<span><a rel="{relation}" href="{names[0]}.html">{words}</a></span>'


def write_html(path: Path, title: str, links: str, body: str, figures: bool) -> None:
    """Put a body into the page that all share."""
    shell = (resources.files("tin_lib.runner.report") / "assets" / "page.html").read_text("utf-8")
    plotly = '<script defer src="assets/plotly.min.js"></script>' if figures else ""
    text = Template(shell).substitute(
        title=html.escape(title),
        top=f'<nav aria-label="Pages">{links}</nav>' if links else "",
        bottom=f'<nav aria-label="Pages, again">{links}</nav>' if links else "",
        plotly=plotly,
        body=body,
    )
    files.atomic_write(path, text)


def index_body(
    run: Path, workbook: Workbook, made: dict[str, pages.Page], extras: list[Extra]
) -> str:
    """The index: what the study is, contents, results, and how it was made."""
    from nbconvert.filters import markdown2html

    every = {name: state.read(run, name) for name in workbook.steps}
    broken = [failure(n, s) for n, s in every.items() if STATES.get(s.get("status", ""), "")]
    results = collect_results(run)
    return "\n".join(
        [
            markdown2html(workbook.about),
            *broken,
            "<h2>Contents</h2>",
            contents(made, every),
            links_to(extras),
            "<h2>Results</h2>",
            results_table(results),
            "<h2>How this was made</h2>",
            definitions(provenance(run, every, results)),
            steps_table(every),
        ]
    )


def contents(made: dict[str, pages.Page], every: dict[str, dict[str, Any]]) -> str:
    """One entry a notebook: its title, its question, and its state unless it is fine."""
    entries = [entry(name, made.get(name), stamp) for name, stamp in every.items()]
    return f'<ul class="contents">{"".join(entries)}</ul>'


def entry(name: str, page: pages.Page | None, stamp: dict[str, Any]) -> str:
    """One notebook's entry."""
    state = STATES.get(stamp.get("status", ""), "not run yet")
    mark = f' <span class="state">{state}</span>' if state else ""
    if page is None:
        return f"<li>{name}{mark}</li>"
    question = f"<br>{html.escape(page.question)}" if page.question else ""
    return f'<li><a href="{name}.html">{html.escape(page.title)}</a>{mark}{question}</li>'


def links_to(extras: list[Extra]) -> str:
    """Links to the pages that notebooks left."""
    links = [f'<a href="{e.folder}/{e.page}">{html.escape(e.title)}</a>' for e in extras]
    return f'<p class="extra">Also here: {", ".join(links)}</p>' if links else ""


def provenance(
    run: Path, every: dict[str, dict[str, Any]], results: pd.DataFrame
) -> dict[str, str]:
    """What made this run: command, data, profile, devices, versions, commit."""
    asked = files.read_json(run / "run.json") if (run / "run.json").is_file() else {}
    given = ", ".join(f"{name}={value}" for name, value in asked.pop("parameters", {}).items())
    machines = {stamp["machine"] for stamp in every.values() if stamp.get("machine")}
    versions = {f"{k} {v}" for s in every.values() for k, v in s.get("versions", {}).items()}
    facts = asked | {
        "parameters": given,
        "machine": "; ".join(sorted(machines)),
        "training device": "; ".join(sorted(set(results.device.dropna()))),
        "versions": ", ".join(sorted(versions)),
    }
    return {name: str(value) for name, value in facts.items() if value}
