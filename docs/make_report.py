"""Copy a run's report to docs/report, small enough to keep: ``make_report.py RUN``.

In the copy, plotly.js (4.8 MB) is replaced by its bundle of two-dimensional charts (1.5 MB, from
npm, the same version), PNG pictures in the pages by WebP, and the browsers show fewer images,
methods and filters. Fails if a figure needs another bundle, if a page names a folder of a machine,
or if the whole is too large.
"""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from PIL import Image
from plotly.offline import get_plotlyjs_version

from tin_lib.analysis import runs
from tin_lib.lab.widgets import write_static_browser, write_static_filters

TARGET = Path(__file__).with_name("report")
BUNDLE = "plotly.js-cartesian-dist-min"
FILE = "package/plotly-cartesian.min.js"
TRACES = {"scatter", "bar", "box", "violin", "pie", "image", "heatmap", "contour", "histogram"}
TRACES |= {"histogram2d", "histogram2dcontour"}
METHODS, IMAGES = ("gradient", "smoothgrad"), 20  # in the saliency browser
FILTERS, SHOWN, STEPS = 4, 200, 128  # in the filter browser; images and steps as in notebook 08
MOST_BYTES = 4_000_000
FIGURE = re.compile(r'(?<=<script type="application/json">).*?(?=</script>)', re.DOTALL)
PICTURE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)")


def bundle(version: str) -> bytes:
    """The bundle's script, fetched by npm."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{BUNDLE}@{version}", "--pack-destination", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).iterdir())) as package:
            file = package.extractfile(FILE)
            assert file is not None
            return file.read()


def kinds(figure: dict) -> set[str]:
    """The kinds of trace in a figure."""
    return {trace.get("type", "scatter") for trace in figure.get("data", [])}


def smaller_figure(text: str) -> str:
    """A figure's JSON without the defaults for kinds of trace that it does not have."""
    figure = json.loads(text)
    template = figure.get("layout", {}).get("template", {})
    defaults = template.get("data", {})
    template["data"] = {kind: defaults[kind] for kind in kinds(figure) & defaults.keys()}
    return json.dumps(figure, separators=(",", ":")).replace("<", "\\u003c")


def smaller_picture(found: re.Match[str]) -> str:
    """A PNG in a page as WebP, unless that is larger."""
    file = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(found[1]))).save(file, "WEBP", quality=80, method=6)
    text = f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
    return min(text, found[0], key=len)


def smaller_page(page: str) -> str:
    """A page with smaller figures and pictures."""
    return PICTURE.sub(smaller_picture, FIGURE.sub(lambda m: smaller_figure(m[0]), page))


def check(folder: Path, private: list[str]) -> None:
    """ValueError if the copy cannot be kept as it is."""
    for path in folder.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        used = set().union(*(kinds(json.loads(text)) for text in FIGURE.findall(page)))
        if unknown := used - TRACES:
            raise ValueError(f"{path.name}: {BUNDLE} does not draw {', '.join(sorted(unknown))}")
        if named := [text for text in private if text in page]:
            raise ValueError(f"{path.name} names {named[0]}")
    sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    if sum(sizes.values()) > MOST_BYTES:
        largest = sorted(sizes, key=sizes.__getitem__)[-3:]
        raise ValueError(f"{sum(sizes.values()):,} bytes; the largest: {largest}")


def make(path: Path, target: Path = TARGET) -> Path:
    """Copy the report of the run; its contents page."""
    run = runs.open_run(path)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "report"
        shutil.copytree(path / "report", copy, ignore=shutil.ignore_patterns("saliency", "filters"))
        write_static_browser(run, run.data(), copy / "saliency" / "browser", METHODS, IMAGES)
        write_static_filters(run, run.data(), copy / "filters" / "page", FILTERS, SHOWN, STEPS)
        (copy / "assets" / "plotly.min.js").write_bytes(bundle(get_plotlyjs_version()))
        for page in copy.glob("*.html"):
            text = page.read_text(encoding="utf-8").replace(
                str(path.resolve()), f"runs/{path.name}"
            )
            page.write_text(smaller_page(text), encoding="utf-8")
        check(copy, [str(Path.home()), str(Path.cwd()), tempfile.gettempdir()])
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(copy, target)
    return target / "index.html"


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
