"""Time to draw a confusion matrix of many classes, in Chromium without a window."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from tin_lib.lab.widgets import pages
from tin_lib.lab.widgets.confusion.cells import filled

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
# Choosing another network draws its counts; reading a pixel waits until they are drawn.
DRAWING = """number => {
    const list = document.querySelector('.tin-browser select');
    const canvas = document.querySelector('.tin-matrix canvas');
    const start = performance.now();
    list.selectedIndex = number % list.options.length;
    list.dispatchEvent(new Event('change'));
    canvas.getContext('2d').getImageData(0, 0, 1, 1);
    return performance.now() - start;
}"""


def write_page(folder: Path, classes: int, images: int) -> Path:
    """Write a page with random counts of two networks, half of the images correct."""
    rng, networks = np.random.default_rng(0), {}
    for name in ("first", "second"):
        labels = np.repeat(np.arange(classes), images)
        right = rng.random(len(labels)) < 0.5
        predicted = np.where(right, labels, rng.integers(classes, size=len(labels)))
        counts = np.zeros((classes, classes), np.int64)
        np.add.at(counts, (labels, predicted), 1)
        empty: dict[str, list[int]] = {"errors": [], "predicted": [], "probability": []}
        networks[name] = {"title": name, "counts": filled(pd.DataFrame(counts)), **empty}
    described = {
        "classes": [{"id": f"n{at}", "name": f"class {at}"} for at in range(classes)],
        "networks": networks,
        "zooms": [50, 20, 5],
        "most": [1, 1],
        "labels": [],
    }
    return pages.write_page(folder, "confusion", described, "matrix", "", "")


def draw(folder: Path, count: int, classes: int = 200, images: int = 50) -> list[float]:
    """Milliseconds of ``count`` drawings, 900 pixels wide; none without Chromium."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
    if path is None:
        return []
    page_file = write_page(folder, classes, images)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1800, "height": 1000})
        page.goto(page_file.as_uri())
        page.wait_for_selector(".tin-matrix canvas[data-size]")
        taken = [page.evaluate(DRAWING, number) for number in range(1, count + 1)]
        browser.close()
    return taken
