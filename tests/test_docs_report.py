"""The rendered report in docs/report: complete, small, of no machine; what its maker refuses."""

import base64
import importlib.util
import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
SPEC = importlib.util.spec_from_file_location("make_report", DOCS / "make_report.py")
assert SPEC
assert SPEC.loader
make_report = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_report)
FIGURE = '<script type="application/json">{"data": [{"type": "KIND"}]}</script>'


def test_the_kept_report_is_complete() -> None:
    folder = DOCS / "report"
    make_report.check(folder, ["/home/", "/root", "/tmp"])
    pages = sorted(folder.rglob("*.html"))
    assert {"index.html", "01_preprocessing.html", "07_saliency.html"} <= {p.name for p in pages}
    for page in pages:
        text = re.sub(r"<pre.*?</pre>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for link in re.findall(r'(?:href|src)="([^"#]+)', text):
            if not re.match(r"\w+:", link):
                assert (page.parent / unquote(link)).exists(), f"{page.name}: {link}"
    assert b"plotly.js (cartesian" in (folder / "assets" / "plotly.min.js").read_bytes()[:200]


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (FIGURE.replace("KIND", "surface"), "does not draw surface"),
        ("<p>/home/me/data</p>", "names /home/me"),
        ("x" * (make_report.MOST_BYTES + 1), "the largest"),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path: Path, page: str, message: str) -> None:
    (tmp_path / "page.html").write_text(page)
    with pytest.raises(ValueError, match=message):
        make_report.check(tmp_path, ["/home/me"])


def test_figures_and_pictures_get_smaller(tmp_path: Path) -> None:
    figure: dict[str, Any] = {
        "data": [{"type": "heatmap", "z": [[1]]}],
        "layout": {"title": {"text": "<b>"}},
    }
    figure["layout"]["template"] = {"data": {"heatmap": [{}], "surface": [{}]}, "layout": {"a": 1}}
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    png = base64.b64encode((tmp_path / "noise.png").read_bytes()).decode()
    text = json.dumps(figure).replace("<", "\\u003c")
    before = (
        f'<script type="application/json">{text}</script><img src="data:image/png;base64,{png}">'
    )
    after = make_report.smaller_page(before)
    kept = json.loads(make_report.FIGURE.search(after)[0])
    assert kept["layout"].pop("template") == {"data": {"heatmap": [{}]}, "layout": {"a": 1}}
    assert kept["data"] == figure["data"]
    assert "<b>" not in after
    assert len(after) < len(before) * 0.7
    webp = base64.b64decode(re.search(r'image/webp;base64,([^"]+)', after)[1])
    assert Image.open(io.BytesIO(webp)).size == (64, 64)
    (tmp_path / "page.html").write_text(after)
    make_report.check(tmp_path, ["/home/me"])
