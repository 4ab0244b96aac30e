"""The items of the full study, and the record of what was done."""

from __future__ import annotations

import argparse
import functools
import json
import platform
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import _archive
import _common
import _outcome
import _plan
import numpy
import torch
import torchvision
from _outcome import Skipped

import tin_lib
from tin_lib import files
from tin_lib.data import TinyImageNet, open_data
from tin_lib.recipes import Recipe
from tin_lib.train import fit
from tin_lib.train.checkpoint import device_name
from tin_lib.train.distributed import join

SEEDS = (1, 2)  # of time_to_accuracy, in addition to seed 0 of every recipe
Call = Callable[["Study"], Any]


class Study:
    """The folder OUT, the data, and the manifest; items are done through ``do``."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.out = args, args.out
        self.began = time.monotonic()
        self.device = join(args.device).device
        self.path = self.out / "manifest.json"
        old = files.read_json(self.path) if self.path.is_file() else {}
        refuse_another(old, self.settings, self.out)
        self.manifest: dict[str, Any] = {
            "settings": self.settings,
            "items": old.get("items", {}),  # each records the session that did it
            "sessions": [*old.get("sessions", []), self.session()],
        }
        self.save()

    def session(self) -> dict[str, Any]:
        """This process and machine; a study that was interrupted has several sessions."""
        return {
            "command": _common.command(),
            "commit": self.commit,
            "device": device_name(self.device),
            "machine": _common.processor(),
            "versions": all_versions(),
            "seed": 0,  # of every recipe
            "began": now(),
        }

    @functools.cached_property
    def commit(self) -> str:
        """The commit of the code: --commit if given, else the checkout's."""
        return self.args.commit or _common.commit()

    @property
    def settings(self) -> dict[str, Any]:
        """What changes the results: studies with different values are not mixed.

        Not the minutes: what they were when the plan was made is in it, later they only limit.
        """
        names = ("classes", "per_class", "width", "epochs_scale")
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
            speed = read_speed(self)["images_per_second"]
            files.write_json(path, _plan.plan(self.args, speed, self.data, self.seconds_left()))
        return files.read_json(path)

    def do(self, name: str, call: Call) -> None:
        """Do one item unless it is done, then repeat the quick items that use it."""
        if self.state(name) == "done" and name not in QUICK:
            return
        print(f"== {name}", flush=True)
        self.attempt(name, call)
        if self.state(name) == "skipped":
            print(f"skipped: {self.manifest['items'][name]['why']}", flush=True)
            return
        if name not in QUICK:
            for quick, call_quick in QUICK.items():
                self.attempt(quick, call_quick)
        _archive.pack(self.out)
        torch._dynamo.reset()  # the number of networks compiled in one process is limited

    def attempt(self, name: str, call: Call) -> None:
        """Call it and record the outcome; a failure does not stop the next item."""
        started = time.perf_counter()
        state, why = outcome(call, self)
        item: dict[str, Any] = {"state": state, "session": len(self.manifest["sessions"])}
        item |= {"seconds": round(time.perf_counter() - started, 1), "why": why}
        self.manifest["items"][name] = item
        self.save()

    def save(self) -> None:
        """Write the manifest."""
        files.write_json(self.path, self.manifest)

    def state(self, name: str) -> str:
        """State of an item: done, skipped or failed."""
        return self.manifest["items"].get(name, {}).get("state", "")

    def left(self, state: str) -> list[str]:
        """Items in that state."""
        return [name for name in self.manifest["items"] if self.state(name) == state]

    def seconds(self) -> float:
        """Seconds of all items together, in all sessions."""
        return sum(item["seconds"] for item in self.manifest["items"].values())

    def seconds_left(self) -> float:
        """Of the minutes of this session."""
        return self.args.minutes * 60 - (time.monotonic() - self.began)

    def in_time(self) -> None:
        """Raise Skipped once the minutes of this session are over."""
        if self.seconds_left() <= 0:
            raise Skipped(f"the {self.args.minutes:g} minutes were over")

    def folder(self, name: str) -> Path:
        """A fit's folder; best is among the modern networks, with which it votes."""
        kind, _, network = name.partition("/")
        return self.out / ("modern" if kind == "best" else kind) / "networks" / network


def outcome(call: Call, study: Study) -> tuple[str, str]:
    """Call it; returns done, skipped or failed, and the reason."""
    try:
        call(study)
    except Skipped as reason:
        return "skipped", str(reason)
    except Exception as error:  # of any kind: the other items still run
        traceback.print_exc()
        return "failed", f"{type(error).__name__}: {error}"
    return "done", ""


def refuse_another(old: dict[str, Any], settings: dict[str, Any], out: Path) -> None:
    """Raise ValueError when ``out`` holds a study with other settings."""
    if old and old["settings"] != settings:
        raise ValueError(f"{out} holds a study with {old['settings']}; take another folder")


def now() -> str:
    """Date and time in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def all_versions() -> dict[str, str]:
    """Versions of what computes, and of the system."""
    modules = (torch, torchvision, numpy, tin_lib)
    system = {"python": platform.python_version(), "system": platform.platform()}
    found = {module.__name__: module.__version__ for module in modules}
    return system | found | {"cuda": str(torch.version.cuda)}


def items() -> dict[str, Call]:
    """All items in order; the main accuracies first, in case time runs out."""
    fits = {name: functools.partial(train, name=name) for name in _plan.FITS}
    after = {"time_to_accuracy": time_to_accuracy, "steps": steps}
    return {"speed": speed, **fits, **after, **QUICK}


def read_speed(study: Study) -> dict[str, Any]:
    """Results of the item speed."""
    path = study.out / "speed.json"
    if not path.is_file():
        raise Skipped("there is no speed.json yet: item speed comes first")
    return files.read_json(path)


def speed(study: Study) -> None:
    """Measure the device and every recipe."""
    study.in_time()
    found = _plan.speeds(study.args, study.data, study.device.type)
    files.write_json(study.out / "speed.json", found)
    print(json.dumps({k: found[k] for k in ("images_per_second", "seconds")}), flush=True)


def train(study: Study, name: str) -> None:
    """One fit by its recipe in the plan."""
    study.in_time()
    entry = study.plan[name]
    if entry["note"]:
        print(entry["note"], flush=True)
    recipe = Recipe.from_dict(entry["recipe"])
    done = fit(recipe, study.data, study.folder(name), device=study.args.device)
    _archive.round_scores(done.path)


def time_to_accuracy(study: Study) -> None:
    """``fast`` with other seeds; seed 0 is the item fast."""
    recipe = Recipe.from_dict(study.plan["fast/resnet18"]["recipe"])
    for seed in SEEDS:
        folder = study.folder(f"fast/resnet18-seed{seed}")
        if not (folder / _outcome.SUMMARY).is_file():  # the weights may be on another machine
            study.in_time()
            fit(recipe.replace(seed=seed), study.data, folder, device=study.args.device)


def steps(study: Study) -> None:
    """The bare steps that had no time in the item speed."""
    found = read_speed(study)
    for name in _plan.STEPPED:
        if name not in found["steps"]:
            study.in_time()
            row = _plan.steps_of(name, study.args, study.data, study.device.type)
            found["steps"][name] = row
            files.write_json(study.out / "speed.json", found)


QUICK: dict[str, Call] = {  # repeated after every other item: an interruption leaves them current
    "ensembles": lambda study: _outcome.ensembles(study.out),
    "tables": lambda study: _outcome.tables(study.out, study.plan),
    "figures": lambda study: _outcome.figures(study.out),
}
