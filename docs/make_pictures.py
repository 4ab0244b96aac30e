"""Take the README's pictures of docs/report in a headless Chromium: ``make_pictures.py``.

docs/saliency_browser.png: the saliency browser, every network on one image; docs/report.png: the
contents page. Needs Playwright's package and a Chromium on the path.
"""

import shutil
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
REPORT = DOCS / "report"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SIZE = {"width": 1280, "height": 1010}


def saliency_browser(page: Any) -> None:
    """The browser, another image chosen by arrow keys, every network's gradient."""
    page.goto((REPORT / "saliency" / "browser" / "index.html").as_uri())
    page.wait_for_selector("[data-row] canvas")
    page.focus(".tin-strip")
    for _ in range(14):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector('[data-row="alexnet/gradient"] canvas')
    page.screenshot(path=DOCS / "saliency_browser.png")


def filter_browser(page: Any) -> None:
    """The filter browser, a filter of the last convolution."""
    page.goto((REPORT / "filters" / "page" / "index.html").as_uri())
    page.wait_for_selector(".tin-cards canvas")
    page.screenshot(path=DOCS / "filter_browser.png")


def confusion_browser(page: Any) -> None:
    """The confusion matrix, and the images of its most frequent error."""
    page.goto((REPORT / "errors" / "browser" / "index.html").as_uri())
    page.wait_for_selector(".tin-groups canvas")
    page.screenshot(path=DOCS / "confusion_browser.png")


def contents(page: Any) -> None:
    """The report's contents page, its upper part."""
    page.goto((REPORT / "index.html").as_uri())
    page.wait_for_selector(".tin-figure .main-svg")
    page.screenshot(path=DOCS / "report.png")


def take() -> None:
    """Take the pictures."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
    if path is None:
        raise FileNotFoundError("no chromium on the path: apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport=SIZE)
        page.set_default_timeout(120_000)
        saliency_browser(page)
        filter_browser(page)
        confusion_browser(page)
        contents(page)
        browser.close()


if __name__ == "__main__":
    take()
