"""The folder --out of speedrun.py: its tables, and machine.json with its sessions."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _common  # before torch
import pandas as pd
import psutil
import torch

from tin_lib import files
from tin_lib.recipes import Recipe

MACHINE = {"processor": "cpu"} | {
    name: name for name in ("device", "amx", "avx512_bf16", "threads", "commit", "torch")
}  # of a session: key in machine.json and column of the tables


class Record:
    """The folder --out: what was trained, and in which sessions."""

    def __init__(self, out: Path, settings: dict[str, Any], session: dict[str, Any]) -> None:
        self.out, self.settings, self.session = out, settings, session
        path = out / "machine.json"
        old = files.read_object(path) if path.is_file() else {}
        refuse_another(old, settings, out)
        self.sessions: list[dict[str, Any]] = [*old.get("sessions", []), session]

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of a table as texts; none if it is not there."""
        path = self.out / name
        return files.read_table(path).to_dict("records") if path.is_file() else []  # type: ignore

    def seeds(self) -> set[int]:
        """Seeds that have a row."""
        return {int(row["seed"]) for row in self.rows("speedrun.csv")}

    def put(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Add rows to a table, in place of those of the same seeds, and sort it by seed."""
        new = {row["seed"] for row in rows}
        kept = [row for row in self.rows(name) if int(row["seed"]) not in new]
        ordered = sorted([*kept, *rows], key=lambda row: int(row["seed"]))
        files.write_table(pd.DataFrame(ordered), self.out / name)

    @contextlib.contextmanager
    def running(self, name: str, resumed: bool = False) -> Iterator[None]:
        """Note that ``name`` is trained in this session, and how much other programs did then.

        Unless it is ``resumed``, what earlier sessions did of it does not count.
        """
        for each in [] if resumed else self.sessions:
            each["runs"].pop(name, None)
        noted = {"load_average": round(os.getloadavg()[0], 2)}
        self.session["runs"][name] = noted
        self.write()
        before = cpu_seconds()
        yield
        noted |= other_cores(before)
        self.write()

    def write(self) -> None:
        """Write machine.json."""
        content = self.settings | {"sessions": self.sessions}
        files.write_json(self.out / "machine.json", content)

    def machine(self, name: str) -> dict[str, str]:
        """Columns that say what trained ``name``; of several sessions all values, joined by +."""
        found = [each for each in self.sessions if name in each["runs"]]
        values = {key: dict.fromkeys(str(each[key]) for each in found) for key in MACHINE}
        return {column: " + ".join(values[key]) for key, column in MACHINE.items()}

    def tables(self) -> dict[str, pd.DataFrame]:
        """The four tables with numbers; empty ones for those that are not there."""
        names = ("speedrun", "history", "plain", "plain_history")
        paths = {name: self.out / f"{name}.csv" for name in names}
        return {k: pd.read_csv(p) if p.is_file() else pd.DataFrame() for k, p in paths.items()}


def refuse_another(old: dict[str, Any], settings: dict[str, Any], out: Path) -> None:
    """Raise ValueError when ``out`` holds rows of another recipe or other data."""
    if not old:
        return
    recipe = Recipe.from_dict(old["recipe"]).to_dict()  # with the fields that are new since then
    wrong = [k for k, v in settings["recipe"].items() if recipe[k] != v]
    wrong += [] if old["fingerprint"] == settings["fingerprint"] else ["the data"]
    if wrong:
        differs = ", ".join(wrong)
        raise ValueError(f"{out} holds rows of another recipe ({differs}); choose another --out")


def cpu_seconds() -> tuple[float, float, float]:
    """Clock, seconds of all cores' work, seconds of this process's work with its children."""
    times = psutil.cpu_times()._asdict()  # a guest's seconds are also the user's
    idle = ("idle", "iowait", "guest", "guest_nice")
    work = sum(seconds for name, seconds in times.items() if name not in idle)
    return time.perf_counter(), work, sum(os.times()[:4])


def other_cores(before: tuple[float, float, float]) -> dict[str, float]:
    """Mean number of cores that other programs used since ``before``.

    Child processes of this one that have not ended, such as a compiler's, count as others.
    """
    clock, work, own = (now - then for now, then in zip(cpu_seconds(), before, strict=True))
    return {"other_cores": round(max(work - own, 0.0) / max(clock, 1e-9), 3)}


def session(device: str, note: str, commit: str | None) -> dict[str, Any]:
    """This process and machine; ``runs`` will hold what is trained in it."""
    return {
        "command": _common.command(),
        "commit": commit or _common.commit(),
        "date": time.strftime("%Y-%m-%d"),
        **_common.machine(device),
        "avx512_bf16": bool(getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()),
        "note": note,
        "runs": {},
    }
