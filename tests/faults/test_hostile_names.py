"""HTML and script in names, parameters and messages, on their way to where people look: a browser.

Each page is opened for real. Payload number N, if it runs, sets
``window.hitN``.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import nbformat
import numpy as np
import pandas as pd
import pytest
import workbook_toys
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tin_lib import files
from tin_lib.lab import figures
from tin_lib.lab.widgets import (
    ConfusionBrowser,
    FilterBrowser,
    SaliencyBrowser,
    write_static_browser,
    write_static_confusion,
    write_static_filters,
)
from tin_lib.runner.report import build, pages
from tin_lib.runner.workbook import state
from tin_lib.runner.workbook.spec import load_workbook

CHROMIUM = Path("/usr/bin/chromium")
FORMS = (
    "<img src=x onerror=hit=1>",
    '"><svg onload=hit=1>',
    "</script><script>hit=1</script>",
    "</title><script>hit=1</script>",
    "'onmouseover='hit=1",
    '<a href="javascript:hit=1">link</a>',
    "[link](javascript:hit=1)",
    '![x](x "onerror=hit=1)',
    "`<script>hit=1</script>",
    "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "<details open ontoggle=hit=1>x</details>",
    "<style>@import 'x'</style><math><mi xlink:href=javascript:hit=1>x</mi></math>",
    "{{ 7 * 7 }}{% raw %}${hit=1}",
)
PAYLOADS = tuple(form.replace("hit=", f"hit{n}=") for n, form in enumerate(FORMS))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    if not CHROMIUM.exists():
        pytest.skip("no chromium: apt-get install chromium")
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page; ``page.foreign``: what it asks of a network, without what its policy blocked."""
    context = browser.new_context(viewport={"width": 1000, "height": 800})
    page = context.new_page()
    page.foreign = []
    local = ("file:", "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(local) else page.foreign.append(r.url))
    page.on("requestfailed", lambda r: page.foreign.remove(r.url) if r.failure == "csp" else None)
    yield page
    context.close()


def hits(page: Any) -> list[int]:
    """Numbers of the payloads that run, also after what they wait for was done."""
    page.wait_for_timeout(300)
    page.evaluate("""() => {
        for (const link of document.querySelectorAll("a[href^=javascript]")) link.click();
        for (const each of document.querySelectorAll("[onmouseover]"))
            each.dispatchEvent(new Event("mouseover"));
    }""")
    page.wait_for_timeout(100)
    found = page.evaluate("Object.keys(window).filter((key) => /^hit\\d+$/.test(key))")
    return [int(name[3:]) for name in found]


def check(page: Any, fault: Callable, where: str) -> None:
    """No payload of any kind has run."""
    found = hits(page)
    for number, payload in enumerate(PAYLOADS):
        with fault("script in a name", f"{where}: {payload}"):
            assert number not in found
    assert page.foreign == []


def shown(kind: str, text: Any) -> Any:
    return new_output("display_data", data={kind: text})


def cells(payload: str) -> list[Any]:
    """Executed cells with the payload in every kind of output that code makes."""
    table = pd.DataFrame({payload: [payload]}, index=[payload])
    picture = {"image/png": "iVBORw0KGgo=", "text/plain": payload}
    attributes = {"image/png": {"alt": payload, "width": f"1 {payload}"}}
    outputs = [
        shown("text/html", table.to_html()),
        shown("text/markdown", f"The worst class is {payload}."),
        shown("text/plain", payload),
        new_output("stream", text=payload),
        new_output("error", ename=payload, evalue=payload, traceback=[payload]),
        new_output("display_data", data=picture, metadata=attributes),
    ]
    return [new_code_cell(f"name = {payload!r}", outputs=[each]) for each in outputs]


def figure() -> Any:
    """A confusion matrix of classes, with titles, that are payloads."""
    names = {f"n{n}": payload for n, payload in enumerate(PAYLOADS)}
    counts = pd.DataFrame(np.eye(len(names), dtype=int), index=list(names), columns=list(names))
    drawn = json.loads(figures.errors.confusion(counts, names).to_json())
    drawn["layout"]["title"] = {"text": "<br>".join(PAYLOADS)}
    drawn["layout"]["annotations"] = [{"text": text, "x": 0, "y": 0} for text in PAYLOADS]
    return drawn


def raw(payload: str) -> list[Any]:
    """Cells of a stranger's notebook: nothing is escaped, and only the page's policy stops it."""
    data = {"text/html": payload}
    isolated = new_output("display_data", data=data, metadata={"text/html": {"isolated": True}})
    outputs = [shown("text/html", payload), isolated]
    outputs += [shown("image/svg+xml", f"<svg>{payload}</svg>")]
    return [new_markdown_cell(payload), *(new_code_cell("", outputs=[each]) for each in outputs)]


def make_report(folder: Path, more: list[Any]) -> Path:
    """The report of a run whose files contain the payloads wherever text can be."""
    text = " ".join(PAYLOADS)
    steps = workbook_toys.write_workbook(folder / "book", {"01_a": {}, "02_b": {}}, title=text)
    run = folder / "run"
    (run / "notebooks").mkdir(parents=True)
    title = new_markdown_cell(f"# A study {text}\n\nWhat does it show? {text}")
    first = new_code_cell("", outputs=[shown(pages.PLOTLY, figure())])
    all_cells = [cell for payload in PAYLOADS for cell in cells(payload)]
    book = new_notebook(cells=[title, first, *all_cells, *more])
    nbformat.write(book, run / "notebooks" / "01_a.ipynb")
    facts = {"machine": text, "versions": {text: text}, "parameters": {text: text}}
    state.write(run, "01_a", state.FAILED, error=text, data=text, seconds=1, **facts)
    files.write_json(run / "run.json", {"command": text, "parameters": {text: text}})
    summary = {"network": text, "device": text, "precision": text, "val_accuracy": 0.5}
    files.write_json(run / "networks" / "x" / "summary.json", summary)
    vote = pd.DataFrame([{"name": text, "kind": "vote", "accuracy": 0.6}])
    files.write_table(vote, run / "ensemble" / "summary.csv")
    return build.build(run, load_workbook(steps))


@pytest.mark.parametrize("origin", ["own", "stranger"])
def test_in_the_report(page: Any, tmp_path: Path, fault: Callable, origin: str) -> None:
    """Of code's own outputs, and of a stranger's notebook full of scripts."""
    more = []
    if origin == "stranger":
        more = [cell for payload in PAYLOADS for cell in raw(payload)]
        more += [new_code_cell("", outputs=[shown("application/javascript", "hit0=1")])]
        more += [new_markdown_cell("![x](https://example.org/count.png)")]
    index = make_report(tmp_path, more)
    page.goto((index.parent / "01_a.html").as_uri())
    page.wait_for_selector(".tin-figure .main-svg")  # the figures are drawn all the same
    page.hover(".tin-figure", force=True)
    check(page, fault, f"notebook's page, {origin}")
    assert PAYLOADS[0] in page.inner_text(".output_markdown >> nth=0")  # as text
    page.goto(index.as_uri())
    check(page, fault, f"index, {origin}")
    assert PAYLOADS[0] in page.inner_text("dl")  # as text


@pytest.fixture(scope="module")
def hostile_run(run: Any) -> Any:
    """The run, its classes and networks named by payloads."""
    for fit in run.fits.values():
        meta = files.read_json(fit.path / "meta.json")
        given = [PAYLOADS[i % len(PAYLOADS)] + str(i) for i in range(len(meta["class_names"]))]
        files.write_json(fit.path / "meta.json", meta | {"class_names": given})
        fit.__dict__.pop("meta", None)
    return run


def test_in_the_static_browser(
    page: Any, hostile_run: Any, tmp_path: Path, fault: Callable
) -> None:
    path = write_static_browser(hostile_run, hostile_run.data(), tmp_path, ["gradient"], 26)
    page.goto(path.as_uri())
    page.wait_for_selector("[data-row] canvas")
    for payload in PAYLOADS:
        page.get_by_label("class", exact=True).fill(payload)
        page.get_by_label("class", exact=True).press("Tab")
        page.press(".tin-strip", "ArrowRight")
    check(page, fault, "static browser")
    keys = ("label", "predicted", "show", "file", "networks", "methods", "overlay")
    for payload in PAYLOADS:
        page.goto(path.as_uri() + "#" + urlencode(dict.fromkeys(keys, payload)))
    check(page, fault, "static browser's address")


def test_in_the_static_confusion_browser(
    page: Any, hostile_run: Any, tmp_path: Path, fault: Callable
) -> None:
    path = write_static_confusion(hostile_run, hostile_run.data(), tmp_path, 26)
    page.goto(path.as_uri())
    page.wait_for_selector(".tin-groups h4")
    for number, payload in enumerate(PAYLOADS):
        page.get_by_label("true class").fill(f"{payload}{number}")
        page.get_by_label("true class").press("Tab")
        page.hover(".tin-matrix canvas")
    check(page, fault, "static confusion browser")
    assert "hit9=1" in page.inner_text(".tin-pair h3")  # as text
    for payload in PAYLOADS:
        asked = dict.fromkeys(("network", "label", "predicted", "zoom"), payload)
        page.goto(f"{path.as_uri()}#{urlencode(asked)}")
    check(page, fault, "static confusion browser's address")


def test_in_the_filter_browsers(
    page: Any, hostile_run: Any, tmp_path: Path, fault: Callable
) -> None:
    """The report's page, its address, and what an executed notebook has of the widget."""
    path = write_static_filters(hostile_run, hostile_run.data(), tmp_path, 4, 26, steps=1)
    page.goto(path.as_uri())
    page.wait_for_selector("[data-part=images] canvas")
    for _ in range(3):
        page.press(".tin-strip", "ArrowRight")
    check(page, fault, "static filter browser")
    keys = ("network", "layer", "filter", "order", "parametrisation")
    for payload in PAYLOADS:
        page.goto(path.as_uri() + "#" + urlencode(dict.fromkeys(keys, payload)))
    check(page, fault, "static filter browser's address")
    shown = FilterBrowser(hostile_run, images=26, steps=1)
    stills = [shown.still()]
    for number in range(1, 4):
        shown.look(filter=number)
        stills.append(shown.still())
    shown.close()
    page.set_content("".join(stills))
    check(page, fault, "still of a filter")
    assert "hit" in page.inner_text("body")


def test_in_the_widgets_messages(page: Any, hostile_run: Any, fault: Callable) -> None:
    """What widgets put into an executed notebook as HTML, here in a page without a policy."""
    maps = SaliencyBrowser(hostile_run, methods=["gradient"])
    confused = ConfusionBrowser(hostile_run)
    texts = []
    for wnid in hostile_run.first.class_ids[: len(PAYLOADS)]:
        maps.look(label=wnid, methods=["gradient"])
        confused.look(wnid, wnid)
        texts += [maps.still(), confused.still()]
    page.set_content("".join(texts))
    check(page, fault, "still form of a browser")
    assert PAYLOADS[0] in page.inner_text("body")
    page.set_content(f"<div>{PAYLOADS[0]}</div>")
    assert hits(page) == [0], "the page above would have run it"
    maps.close()
    confused.close()


def test_above_and_over_images(page: Any, tmp_path: Path, fault: Callable) -> None:
    """plotly draws titles with a small HTML of its own, which has links."""
    pixels = np.zeros((len(PAYLOADS), 3, 64, 64), np.uint8)
    drawn = figures.images.grid(pixels, list(PAYLOADS), hover=list(PAYLOADS))
    (tmp_path / "figure.html").write_text(drawn.to_html(include_plotlyjs=True))
    page.goto((tmp_path / "figure.html").as_uri())
    page.wait_for_selector(".main-svg")
    page.mouse.move(60, 120)
    check(page, fault, "titles of images")
