"""Browsers over a run's saved results, for JupyterLab and for a web page of their own.

They train nothing. Each is one picture with controls beside it, and leaves the picture behind when
a notebook runs with nobody to click.
"""

from tin_lib.lab.widgets.confusion.browser import ConfusionBrowser
from tin_lib.lab.widgets.filters.browser import FilterBrowser
from tin_lib.lab.widgets.saliency.browser import SaliencyBrowser

__all__ = ["ConfusionBrowser", "FilterBrowser", "SaliencyBrowser"]
