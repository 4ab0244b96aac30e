"""The items of the full study, and the record of what was done."""

from __future__ import annotations

import argparse
import functools
import json
import platform
import subprocess
import sys
import tarfile
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import _outcome
import _plan
import torch
import torchvision

from tin_lib import runs
from tin_lib.data import TinyImageNet, open_data
from tin_lib.recipes import Recipe
from tin_lib.train import fit
from tin_lib.train.distributed import join
from tin_lib.train.folder import device_name, versions

ALWAYS = ("ensembles", "tables", "figures")  # quick, and out of date as soon as a fit is new
LEFT_OUT = {  # too large to carry away
    *("weights.safetensors", "best.safetensors", "checkpoint.pt", "plotly.min.js"),
    *("predictions_train.csv", "logits_val.npy", "logits_test.npy", "results.tar.gz"),
}
Call = Callable[["Study"], Any]


class Study:
    """The folder OUT, the data, and the manifest; items are done through ``do``."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.out = args, args.out
        self.device = join(args.device).device
        self.path = self.out / "manifest.json"
        old = runs.read_json(self.path) if self.path.is_file() else {}
        refuse_another(old, self.settings, self.out)
        self.manifest: dict[str, Any] = {
            "settings": self.settings,
            "items": old.get("items", {}),  # each says in which session it was done
            "sessions": [*old.get("sessions", []), self.session()],
        }

    def session(self) -> dict[str, Any]:
        """What runs here and now; a study that was cut off has several."""
        return {
            "command": " ".join(sys.argv),
            "commit": self.args.commit or commit(),
            "device": device_name(self.device),
            "versions": all_versions(),
            "seed": 0,  # of every recipe
            "began": now(),
        }

    @property
    def settings(self) -> dict[str, Any]:
        """What changes the results: a study is not mixed with another's."""
        names = ("classes", "per_class", "width", "epochs_scale", "minutes")
        return {name: getattr(self.args, name) for name in names}

    @functools.cached_property
    def data(self) -> TinyImageNet:
        """The images, opened when the first item needs them."""
        args = self.args
        return open_data(args.data, classes=args.classes, per_class=args.per_class)

    @functools.cached_property
    def plan(self) -> dict[str, dict[str, Any]]:
        """Recipe and note of every fit; made once, after the speeds are known."""
        path = self.out / "plan.json"
        if not path.is_file():
            if not (self.out / "speed.json").is_file():
                raise FileNotFoundError(
                    f"{self.out}/speed.json does not exist; do item speed first"
                )
            speed = runs.read_json(self.out / "speed.json")
            runs.write_json(path, _plan.plan(self.args, speed["images_per_second"], self.data))
        return runs.read_json(path)

    def do(self, name: str, call: Call) -> None:
        """Do one item unless it was done; a failure is recorded, and the next item comes."""
        if self.state(name) == "done" and name not in ALWAYS:
            return
        print(f"== {name}", flush=True)
        started = time.perf_counter()
        error = attempt(call, self)
        state, session = "failed" if error else "done", len(self.manifest["sessions"])
        item: dict[str, Any] = {"state": state, "session": session}
        item |= {"seconds": round(time.perf_counter() - started, 1), "error": error}
        self.manifest["items"][name] = item
        runs.write_json(self.path, self.manifest)
        self.pack()
        torch._dynamo.reset()  # there is a limit to how many networks can be compiled side by side

    def state(self, name: str) -> str:
        """What became of an item."""
        return self.manifest["items"].get(name, {}).get("state", "")

    def folder(self, name: str) -> Path:
        """Where a fit goes: best stands among the modern networks, with which it votes."""
        kind, _, network = name.partition("/")
        return self.out / ("modern" if kind == "best" else kind) / "networks" / network

    def pack(self) -> None:
        """Put all small files into one archive."""
        with (
            runs.atomic_path(self.out / "results.tar.gz") as temporary,
            tarfile.open(temporary, "w:gz") as archive,
        ):
            for path in filter(Path.is_file, sorted(self.out.rglob("*"))):
                relative = path.relative_to(self.out)
                hidden = any(part.startswith(".") for part in relative.parts)
                if path.name not in LEFT_OUT and not hidden:
                    archive.add(path, str(relative))


def attempt(call: Call, study: Study) -> str:
    """Call it; the error in words, "" when there was none."""
    try:
        call(study)
    except Exception as error:  # whatever it is, the other items are worth having
        traceback.print_exc()
        return f"{type(error).__name__}: {error}"
    return ""


def refuse_another(old: dict[str, Any], settings: dict[str, Any], out: Path) -> None:
    """Raise ValueError when ``out`` holds a study with other settings."""
    if old and old["settings"] != settings:
        raise ValueError(f"{out} holds a study with {old['settings']}; take another folder")


def now() -> str:
    """Date and time in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def commit() -> str:
    """The commit of the code, "unknown" outside a checkout."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def all_versions() -> dict[str, str]:
    """Versions of what computes, and of the system."""
    more = {"torchvision": torchvision.__version__, "system": platform.platform()}
    return versions() | more | {"cuda": str(torch.version.cuda)}


def items() -> list[tuple[str, Call]]:
    """All items in order; the accuracies asked for first, in case time runs out."""
    fits = [(name, functools.partial(train, name=name)) for name in _plan.SHARES if "/" in name]
    last: list[tuple[str, Call]] = [
        ("ensembles", lambda study: _outcome.ensembles(study.out)),
        ("tables", lambda study: _outcome.tables(study.out, study.plan)),
        ("figures", lambda study: _outcome.figures(study.out)),
    ]
    return [("speed", speed), *fits, *last]


def speed(study: Study) -> None:
    """Measure the device and every recipe."""
    found = _plan.speeds(study.args, study.data, study.device.type)
    runs.write_json(study.out / "speed.json", found)
    print(json.dumps(found["images_per_second"]), flush=True)


def train(study: Study, name: str) -> None:
    """One fit by its recipe in the plan."""
    entry = study.plan[name]
    if entry["note"]:
        print(entry["note"], flush=True)
    recipe = Recipe.from_dict(entry["recipe"])
    fit(recipe, study.data, study.folder(name), device=study.args.device)
