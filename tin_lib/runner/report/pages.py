"""Executed notebooks as HTML that needs no network: figures, pictures, tables, prose.

Scripts in a notebook's outputs do not run in the report: its pages forbid them.
"""

import html
import json
import re
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tin_lib.progress import say

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
    prepare(notebook)
    exporter = HTMLExporter(template_name="basic", exclude_anchor_links=True)
    for_readers = TagRemovePreprocessor(remove_cell_tags=NOT_SHOWN, enabled=True)
    exporter.register_preprocessor(for_readers)
    exporter.register_preprocessor(CoalesceStreamsPreprocessor, enabled=True)  # one log, not lines
    body, _ = exporter.from_notebook_node(notebook)
    body = relinked(offline(body))
    return Page(title, question, body, figures="tin-figure" in body)


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


def plain(markdown: str) -> str:
    """Markdown's emphasis, code and link marks removed, on one line."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return " ".join(re.sub(r"[*`]+|(?<!\w)_+|_+(?!\w)", "", text).split())


def prepare(notebook: Any) -> None:
    """Turn what needs JavaScript from a network into what does not; in place."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "data" in output:
                replace_data(output.data, output.metadata)


def replace_data(data: dict[str, Any], metadata: dict[str, Any]) -> None:
    """One output: a plotly figure becomes a div, a widget its picture, tags in Markdown text."""
    if PLOTLY in data:
        figure = data[PLOTLY]
        data.clear()
        data["text/html"] = figure_div(figure)
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


def figure_div(figure: dict[str, Any]) -> str:
    """A plotly figure as a div with its JSON, which report.js draws."""
    layout = figure.get("layout", {})
    title = layout.get("title", "")
    text = str(title.get("text") or "") if isinstance(title, dict) else str(title)
    height = int(layout.get("height") or 450)  # plotly's own default height
    content = json.dumps({"data": figure["data"], "layout": layout}).replace("<", "\\u003c")
    label = html.escape(re.sub("<[^>]*>", "", text) or "Figure", quote=True)
    return (
        f'<div class="tin-figure" role="group" aria-label="{label}" style="height:{height}px">'
        f'<script type="application/json">{content}</script></div>'
    )


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
