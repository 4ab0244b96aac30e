"""Write docs/API.md from the docstrings; with ``--check``, only compare."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

PAGE = Path(__file__).with_name("API.md")
ROOMS = {
    "Core": (
        "data",
        "sample",
        "augment",
        "networks",
        "recipes",
        "train",
        "penalties",
        "predict",
        "runs",
        "catalog",
        "files",
    ),
    "Analysis": (
        "analysis.ensemble",
        "analysis.runs",
        "analysis.submission",
        "analysis.layers",
        "analysis.errors",
        "analysis.saliency",
        "analysis.filters",
        "analysis.audit",
        "analysis.layer_table",
        "analysis.augmentation",
        "analysis.statistics",
        "analysis.arms",
        "analysis.lr_range",
        "analysis.layerwise",
        "analysis.features",
        "analysis.moments",
        "analysis.adaptive",
        "analysis.pruning",
    ),
    "Lab": ("lab.widgets", "lab.conclusions", "lab.network_study", "lab.launcher"),
    "Runner": (
        "runner.download",
        "runner.study",
        "runner.jobs.sweep",
        "runner.jobs.fits",
        "runner.jobs.executor",
    ),
}
HEAD = """# API

Made from the docstrings by `python docs/make_api.py`; `help()` shows the same text.
Images are uint8 N×3×64×64 unless a function says otherwise.
"""


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` return 1 unless it is up to date."""
    text = page()
    if "--check" in arguments:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    print(PAGE)
    return 0


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for room, names in ROOMS.items():
        parts.append(f"\n## {room}\n")
        for name in names:
            parts += section(importlib.import_module(f"tin_lib.{name}"))
    return "".join(parts)


def section(module: ModuleType) -> Iterator[str]:
    """Yield a module's heading and one entry per public name."""
    yield f"\n### `{module.__name__}`\n\n{inspect.getdoc(module) or ''}\n"
    for name, value in public(module):
        yield f"\n#### `{name}{signature(value)}`\n\n{documentation(value)}\n"


def public(module: ModuleType) -> list[tuple[str, Any]]:
    """Return the functions and classes that a module exports, in its own order."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [
            n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__
        ]
    found = [(name, getattr(module, name)) for name in names if not name.startswith("_")]
    return [(name, v) for name, v in found if inspect.isfunction(v) or inspect.isclass(v)]


def signature(value: Any) -> str:
    """Return parameter names and plain defaults; types are in the docstring and in ``help()``."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return ""
    return str(inspect.Signature([p.replace(annotation=p.empty) for p in map(plain, parameters)]))


def plain(parameter: inspect.Parameter) -> inspect.Parameter:
    """Return the parameter with a default that prints alike everywhere."""
    shown = (int, float, str, bool, type(None), tuple)
    if parameter.default is parameter.empty or isinstance(parameter.default, shown):
        return parameter
    return parameter.replace(default=...)


def documentation(value: Any) -> str:
    """Return the docstring, and those of a class's public methods as a list."""
    lines = [inspect.getdoc(value) or ""]
    if inspect.isclass(value):
        for name, method in vars(value).items():
            if not name.startswith("_") and (
                inspect.isfunction(method) or isinstance(method, property)
            ):
                call = "" if isinstance(method, property) else signature(method)
                first = (inspect.getdoc(method) or "").split("\n\n")[0].replace("\n", " ")
                lines.append(f"- `{name}{call}`: {first}")
    return "\n\n".join([lines[0], "\n".join(lines[1:])]).strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
