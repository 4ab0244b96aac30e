"""The pages made from the source are up to date, and links to them lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_api_page_is_that_of_the_docstrings() -> None:
    command = [sys.executable, str(ROOT / "docs" / "make_api.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, f"run python docs/make_api.py; {done.stderr}"


def test_every_link_to_the_glossary_names_one_of_its_terms() -> None:
    page = (ROOT / "docs" / "GLOSSARY.md").read_text(encoding="utf-8")
    terms = re.findall(r'<a id="([^"]+)"></a>([^|]+) \|', page)
    for anchor, term in terms:
        assert anchor == re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-")
    known = {anchor for anchor, _ in terms}
    assert len(known) == len(terms)
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        linked = re.findall(r"GLOSSARY\.md#?([\w-]*)", path.read_text(encoding="utf-8"))
        assert set(linked) <= known, path.name
        assert len(set(linked)) == len(linked), f"{path.name}: only the first use of a term is one"
        assert linked or not path.stem[0].isdigit(), f"{path.name} links to no term"
