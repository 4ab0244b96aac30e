"""Contrast (WCAG 2) of texts in a page with its background."""

from typing import Any

CONTRASTS = """([background, texts]) => {
  const light = (rgb) => rgb.match(/[\\d.]+/g).slice(0, 3).map((n) => n / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + [0.2126, 0.7152, 0.0722][i] * c, 0.05);
  const page = light(getComputedStyle(document.querySelector(background)).backgroundColor);
  return [...document.querySelectorAll(texts)].filter((t) => t.textContent.trim())
    .map((t) => light(getComputedStyle(t).fill)).map((l) => Math.max(l, page) / Math.min(l, page));
}"""


def contrasts(page: Any, background: str, texts: str) -> list[float]:
    """The contrast, 1 to 21, of every SVG text that the selector ``texts`` finds."""
    return page.evaluate(CONTRASTS, [background, texts])
