"""Whether the results in a run's folder were made from the given data."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tin_lib import files
from tin_lib.runner.workbook import state


def check(run: Path, data: str, fingerprint: str) -> None:
    """Raise ValueError, naming the run, if it holds results of other data than ``data``."""
    for path in sorted((run / "steps").glob("*.json")):
        record = state.read(run, path.stem)
        if record.get("fingerprint", fingerprint) != fingerprint:
            raise ValueError(refusal(run, data, f"notebook {path.stem}", record.get("data")))
    part = functools.cache(functools.partial(part_fingerprint, data))  # many fits, one part
    for path in sorted(run.glob("networks/*/meta.json")):
        meta = files.read_object(path)
        if meta.get("fingerprint", "") not in (fingerprint, part(request_of(meta))):
            made = (meta.get("data") or {}).get("data")
            raise ValueError(refusal(run, data, f"network {path.parent.name}", made))


def check_parts(run: Path, data: str, chosen: Mapping[str, Mapping[str, Any]], made: set) -> None:
    """Raise ValueError if the chosen steps would train on another part of the data than a fit that
    they do not replace. ``made``: paths, relative to ``run``, that they write.
    """
    from tin_lib.data import open_data

    names = ("classes", "per_class", "holdout")
    asked: list[dict[str, Any]] = [
        {name: step[name] for name in names if step.get(name) is not None}
        for step in chosen.values()
        if "recipe" in step
    ]
    others = [p for p in run.glob("networks/*/meta.json") if not made & set(_outputs(run, p))]
    if not asked or not others:
        return
    wanted = {open_data(data, **request).fingerprint for request in asked}
    for path in others:
        meta = files.read_object(path)
        if meta.get("fingerprint") not in wanted:
            raise ValueError(
                f"{run}: the network {path.parent.name} was trained on {describe(meta)}, and this "
                "command would train another network on other classes or images; use the same "
                "classes and images, train all networks again, or set another folder by --run"
            )


def _outputs(run: Path, meta: Path) -> list[str]:
    """The files of a fit that steps name as their outputs, relative to the run."""
    return [str(meta.with_name(name).relative_to(run)) for name in ("summary.json", "meta.json")]


def request_of(meta: dict[str, Any]) -> str:
    """Which part of the data a fit was made from, as JSON; empty for all of it."""
    request = {name: value for name, value in (meta.get("data") or {}).items() if name != "data"}
    return json.dumps(request, sort_keys=True) if request else ""


def part_fingerprint(data: str, request: str) -> str | None:
    """The fingerprint of a part of ``data``, which is opened; None if there is no such part."""
    from tin_lib.data import open_data

    try:
        return open_data(data, **json.loads(request)).fingerprint if request else None
    except (ValueError, OSError, TypeError):
        return None


def refusal(run: Path, data: str, what: str, made: Any) -> str:
    """The error message: the results found, and what to do."""
    other = f"other data ({made})" if made and str(made) != data else "other data of the same name"
    return (
        f"{run} holds results of {other}: {what}, not of {data}; "
        "choose another folder by --run, or remove this one"
    )


def describe(meta: dict[str, Any]) -> str:
    """The data of a fit in a few words: ``tiny-imagenet-200, 10 classes, 1,000 images``."""
    request, images = meta.get("data") or {}, (meta.get("images") or {}).get("train")
    parts = [Path(str(request["data"])).name] if "data" in request else []
    parts += [f"{meta['num_classes']} classes"] if "num_classes" in meta else []
    parts += [f"{images:,} images"] if images else []
    return ", ".join(parts)
