"""A notebook's finding in one sentence: the first under its heading ``What was found``."""

import re
from typing import Any

SECTION = re.compile(r"^#+ *what was found", re.IGNORECASE | re.MULTILINE)
ENDS = re.compile(r"(?<=[.!?])(?=\s+[A-Z*\"])|\n\s*\n|\n\s*[-*] ")


def finding(notebook: Any) -> str:
    """The first sentence of the text computed under ``What was found``, without markup.

    Empty if there is no such section, or if it was not executed.
    """
    reached = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            reached = reached or bool(SECTION.search(cell.source))
        elif reached:
            texts = [each.get("data", {}).get("text/markdown") for each in cell.get("outputs", [])]
            if text := next((text for text in texts if text), None):
                return first_sentence("".join(text))
    return ""


def first_sentence(markdown: str) -> str:
    """The first sentence, or the first item of a list; ends with a full stop or other mark.

    A question is followed by the next sentence, its answer.
    """
    text = re.sub(r"^\s*[-*] +", "", markdown.strip())
    first, *rest = (plain(part).rstrip(":;,") for part in ENDS.split(text, maxsplit=2))
    sentence = f"{first} {rest[0]}" if rest and first.endswith("?") else first
    return sentence if not sentence or sentence[-1] in ".!?" else sentence + "."


def plain(markdown: str) -> str:
    """Markdown's emphasis, code and link marks removed, on one line."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return " ".join(re.sub(r"[*`]+|(?<!\w)_+|_+(?!\w)", "", text).split())
