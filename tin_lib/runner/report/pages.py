"""Executed notebooks as HTML that needs no network: figures, pictures, tables, prose.

Scripts in a notebook's outputs do not run in the report: its pages forbid them.
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tin_lib.progress import say
from tin_lib.runner.report.findings import finding, plain
from tin_lib.runner.report.plots import figure_div
from tin_lib.runner.report.thumbnails import picture, thumbnail

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
IMAGES = {"image/png", "image/jpeg"}
NOT_SHOWN = {"exercise", "hosted"}  # tags of cells for those who work in the notebook
NO_PICTURE = (
    "<p class='note'>An interactive control: open the notebook in JupyterLab to use it.</p>"
)


@dataclass(frozen=True)
class Page:
    """One notebook for the report."""

    title: str
    question: str  # the first paragraph, without markup
    body: str  # HTML
    figures: bool  # whether it needs plotly.js
    finding: str = ""  # a sentence; empty if the notebook has not come that far
    thumbnail: str = ""  # HTML of a small picture; empty without figures


def read_page(path: Path, name: str) -> Page | None:
    """The page of the executed notebook ``path``; None, with a line that says so if it is there,
    when it cannot be shown."""
    notebook = read_notebook(path)
    if notebook is None:
        return None
    try:
        return render(notebook, name)
    except Exception as error:  # anything: the file may have been changed by others
        say(f"{path} cannot be shown in the report ({type(error).__name__}); run its step again")
        return None


def read_notebook(path: Path) -> Any | None:
    """The notebook, or None if the file is absent or incomplete."""
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except Exception:  # nbformat raises many kinds; all mean that there is nothing to show
        return None


def render(notebook: Any, name: str) -> Page:
    """The page of an executed notebook; ``name`` is its title if it has no heading."""
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import CoalesceStreamsPreprocessor, TagRemovePreprocessor

    title, question = heading(notebook, name)
    found, small = finding(notebook), first_picture(notebook)
    prepare(notebook)
    exporter = HTMLExporter(template_name="basic", exclude_anchor_links=True)
    for_readers = TagRemovePreprocessor(remove_cell_tags=NOT_SHOWN, enabled=True)
    exporter.register_preprocessor(for_readers)
    exporter.register_preprocessor(CoalesceStreamsPreprocessor, enabled=True)  # one log, not lines
    body, _ = exporter.from_notebook_node(notebook)
    body = relinked(offline(body)).replace("<td>NaN</td>", "<td></td>")
    return Page(title, question, body, "tin-figure" in body, found, small)


def first_picture(notebook: Any) -> str:
    """A small picture of the figure in a cell tagged ``thumbnail``, or else of the first figure."""
    cells = [cell for cell in notebook.cells if cell.get("outputs")]
    cells.sort(key=lambda cell: "thumbnail" not in cell.metadata.get("tags", []))
    for output in (output for cell in cells for output in cell.outputs):
        data = output.get("data", {})
        png = data.get("image/png")
        drawn = thumbnail(data[PLOTLY]) if PLOTLY in data else picture(png) if png else ""
        if drawn:
            return drawn
    return ""


def heading(notebook: Any, name: str) -> tuple[str, str]:
    """Title and first paragraph of the notebook's first prose that has a heading."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.lstrip().startswith("#"):
            first, _, rest = cell.source.lstrip().partition("\n")
            return plain(first.lstrip("# ")), first_paragraph(rest)
    return name, ""


def first_paragraph(text: str) -> str:
    """The first paragraph of a markdown text without markup, without the label ``Question.``"""
    paragraph = next((p for p in re.split(r"\n\s*\n", text.strip()) if p.strip()), "")
    return plain(paragraph).removeprefix("Question.").strip()


def prepare(notebook: Any) -> None:
    """Turn what needs JavaScript from a network into what does not; in place."""
    notebook.metadata.pop("widgets", None)
    section = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = plain([section, *re.findall(r"^#+ +(.+)$", cell.source, re.M)][-1])
        for output in cell.get("outputs", []):
            if "data" in output:
                replace_data(output.data, output.metadata, section)


def replace_data(data: dict[str, Any], metadata: dict[str, Any], section: str) -> None:
    """One output: a plotly figure becomes a div, a widget its picture, tags in Markdown text.

    ``section``: the heading above it.
    """
    if PLOTLY in data:
        figure = data[PLOTLY]
        data.clear()
        data["text/html"] = figure_div(figure, section)
    if "text/markdown" in data:
        data["text/markdown"] = without_tags(data["text/markdown"])
    for kind in IMAGES & data.keys():
        metadata.setdefault(kind, {}).setdefault("alt", alternative(data))
    if data.pop(WIDGET, None) is not None and not (IMAGES | {"text/html"}) & data.keys():
        data["text/html"] = NO_PICTURE


def without_tags(markdown: str) -> str:
    """Markdown in which HTML shows as text: the sentences that code made contain names of classes
    and files."""
    return re.sub(r"(`+).*?\1|<", lambda m: m[0] if m[1] else "&lt;", markdown, flags=re.DOTALL)


def alternative(data: dict[str, Any]) -> str:
    """Words for a picture: those that came with it, unless they are the ``repr`` of an object."""
    words = str(data.get("text/plain", ""))
    if words and not re.search(r"[(<]", words):
        return words
    return "Static picture of an interactive view" if WIDGET in data else "Picture"


def offline(body: str) -> str:
    """Drop scripts and style sheets that would be fetched from a network."""
    body = re.sub(r"<script[^>]*\bsrc=[\"']?(https?:)?//[^>]*>\s*</script>", "", body, flags=re.I)
    return re.sub(r"<link[^>]*\bhref=[\"']?(https?:)?//[^>]*>", "", body, flags=re.I)


def relinked(body: str) -> str:
    """Links from notebook to notebook, and to the glossary, as links from page to page."""
    body = body.replace('href="../docs/GLOSSARY.md#', 'href="glossary.html#')
    return re.sub(r'(<a [^>]*href="[\w.-]+)\.ipynb(["#])', r"\1.html\2", body)


def without_dead_links(body: str, made: Container[str]) -> str:
    """Links to pages of notebooks that the report does not have as plain text."""
    link = r'<a [^>]*href="(\d\d_\w+)\.html["#][^>]*>(.*?)</a>'
    return re.sub(link, lambda m: m[0] if m[1] in made else m[2], body, flags=re.DOTALL)
