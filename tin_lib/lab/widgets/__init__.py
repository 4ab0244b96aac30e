"""Browsers of a run's results, for JupyterLab and for a web page (``tin browse``).

Each is an ES module that asks Python for what it shows; the functions write copies that need no
Python. They train nothing. A notebook that is executed in batch contains what is shown.
"""

from tin_lib.lab.widgets.confusion.browser import ConfusionBrowser
from tin_lib.lab.widgets.confusion.static import write_static_confusion
from tin_lib.lab.widgets.filters.browser import FilterBrowser
from tin_lib.lab.widgets.filters.static import write_static_filters
from tin_lib.lab.widgets.saliency.browser import SaliencyBrowser
from tin_lib.lab.widgets.saliency.static import write_static_browser

__all__ = [
    "ConfusionBrowser",
    "FilterBrowser",
    "SaliencyBrowser",
    "write_static_browser",
    "write_static_confusion",
    "write_static_filters",
]
