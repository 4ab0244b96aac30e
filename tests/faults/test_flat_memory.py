"""What is closed is gone: browsers, widgets, files. benchmarks/soak.py measures an hour of use."""

import gc
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
from ipywidgets.widgets import widget
from tiny_data import make_tiny

from tin_lib import train
from tin_lib.analysis import runs
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets import ConfusionBrowser, FilterBrowser, SaliencyBrowser
from tin_lib.recipes import Recipe

KIND = "memory over long use"


@pytest.mark.parametrize("kind", [SaliencyBrowser, FilterBrowser, ConfusionBrowser])
def test_a_closed_browser_is_gone(run: runs.Run, data: TinyImageNet, fault: Any, kind: Any) -> None:
    with fault(KIND, f"{kind.__name__} opened and closed five times"):
        before, threads, alive = len(widget._instances), threading.active_count(), []
        for _ in range(5):
            browser = kind(run, data)
            assert len(widget._instances) > before
            alive.append(weakref.ref(browser))
            browser.close()
            del browser
        assert len(widget._instances) == before
        end = time.monotonic() + 30  # threads that are in the middle of a picture end by themselves
        while sum(each() is not None for each in alive) > 1 or threading.active_count() > threads:
            assert time.monotonic() < end, "closed browsers are kept"
            time.sleep(0.05)
            gc.collect()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted on Linux")
def test_fits_leave_no_file_open(tmp_path: Path, fault: Any) -> None:
    recipe = Recipe("vgg_like", epochs=1, lr=0.01, width=0.1)
    with fault(KIND, "five fits in one process"):
        counts = []
        for number in range(5):
            fit = train.fit(
                recipe, make_tiny(), tmp_path / str(number), device="cpu", progress=None
            )
            fit.predictions("val")
            fit.logits("val")
            fit.network()
            del fit
            gc.collect()
            counts.append(len(list(Path("/proc/self/fd").iterdir())))
        assert counts[1:] == counts[1:2] * 4, counts
