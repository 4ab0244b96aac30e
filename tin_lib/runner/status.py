"""What has been done in a run's folder, and what to run next: ``tin status``."""

import json
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tin_lib import catalog, files
from tin_lib.runner import study
from tin_lib.runner.workbook import state
from tin_lib.runner.workbook.display import last_progress, log_path
from tin_lib.runner.workbook.spec import Workbook

STATES = {state.OK: "done", state.FAILED: "FAILED", state.BLOCKED: "not run"}


def status(run: Path, workbook: Path | None = None) -> Iterator[str]:
    """Lines of text: the run, each notebook's state, each fit's epochs, and what to run next.

    ``workbook`` replaces the recorded one. Raises FileNotFoundError if there is no run.
    """
    steps = study.recorded_workbook(run, workbook)
    asked = files.read_object(run / "run.json") if (run / "run.json").is_file() else {}
    records = {name: state.read(run, name) for name in shown_steps(run, steps)}
    running = is_running(run)
    named = [f"{key} {asked[key]}" for key in ("data", "profile", "started") if key in asked]
    yield f"{run}: {', '.join(named) or 'not made by tin run'}{', RUNNING' if running else ''}"
    width = max(map(len, records), default=0)
    for name, record in records.items():
        yield f"  {name:<{width}}  {describe_step(run, name, record, running)}".rstrip()
    yield from describe_fits(run)
    yield advice(run, records, asked, running)


def shown_steps(run: Path, workbook: Workbook) -> list[str]:
    """The workbook's steps, without those of optional groups of which none has begun."""
    begun = {workbook.part(name) for name in workbook.steps if state.read(run, name)} or {""}
    return [name for name in workbook.steps if workbook.part(name) in begun]


def is_running(run: Path) -> bool:
    """Whether a ``tin run`` works in this folder now."""
    if not (run / study.LOCK).is_file():
        return False
    try:
        with files.only_one(run / study.LOCK, ""):
            return False
    except ValueError:
        return True
    except OSError:  # a folder that cannot be written
        return False


def describe_step(run: Path, name: str, record: dict[str, Any], running: bool) -> str:
    """One notebook's state: ``done        41.2 s  2026-01-31 12:00:00``."""
    status = str(record.get("status"))
    written = str(record.get("written", ""))
    if status == state.STARTED and not log_path(run, name).is_file():
        return "waiting" if running else "not started"
    if status == state.STARTED:
        progress = last_progress(log_path(run, name))
        text = f"{'running' if running else 'interrupted'}, since {written}"
        return f"{text}: {progress}" if progress else text
    text = STATES.get(status, "not run yet")
    if status == state.OK:
        return f"{text}  {float(record.get('seconds') or 0):10.1f} s  {written}"
    reason = str(record.get("error") or "")
    return f"{text}: {reason}" if reason else text


def describe_fits(run: Path) -> Iterator[str]:
    """A line for each network of the run, and one for each other folder of fits."""
    recipes = sorted(run.glob("**/recipe.json"))
    folders = [path.parent for path in recipes if not hidden(path.relative_to(run))]
    networks = {path.name: path for path in folders if path.parent == run / "networks"}
    if networks:
        yield "networks:"
        width = max(map(len, networks))
        yield from (f"  {n:<{width}}  {fit_state(networks[n])}" for n in catalog.ordered(networks))
    others = Counter(path.parent for path in folders if path.parent != run / "networks")
    for folder, count in others.items():
        ended = {path.parent for path in folder.glob("*/summary.json")}
        ended |= {path.parent for path in folder.glob("*/diverged.json")}
        yield f"{folder.relative_to(run)}: {len(ended)} of {count} fits finished"


def hidden(path: Path) -> bool:
    """Whether a path leads through a hidden folder, such as that of fits moved aside."""
    return any(part.startswith(".") for part in path.parts)


def fit_state(folder: Path) -> str:
    """``17 epochs, val accuracy 0.431`` of a finished fit, ``epoch 3 of 17`` of another."""
    if (folder / "summary.json").is_file():
        summary = files.read_object(folder / "summary.json")
        accuracy = summary.get("val_accuracy")
        known = f", val accuracy {accuracy:.3f}" if isinstance(accuracy, float) else ""
        return f"{summary.get('epochs', '?')} epochs{known}"
    epochs = files.read_object(folder / "recipe.json").get("epochs", "?")
    rows = history(folder)
    last = rows[-1].get("val_accuracy") if rows else None
    known = f", val accuracy {last:.3f}" if isinstance(last, float) else ""
    return f"epoch {len(rows)} of {epochs} saved{known}, not finished"


def history(folder: Path) -> list[dict[str, Any]]:
    """The saved epochs of a fit."""
    path = folder / "history.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    try:
        return [dict(json.loads(line)) for line in lines]
    except (ValueError, TypeError):
        raise ValueError(f"{path} was truncated or changed; train again") from None


def advice(
    run: Path, records: dict[str, dict[str, Any]], asked: dict[str, Any], running: bool
) -> str:
    """What to run next."""
    name = shlex.quote(str(run))
    command = str(asked.get("command") or f"tin run --run {name}")
    if running:
        return "next: wait, or interrupt it and resume later"
    failed = [step for step, record in records.items() if record.get("status") == state.FAILED]
    if failed:
        return f"next: see {log_path(run, failed[0])}, then run again: {command}"
    if all(record.get("status") == state.OK for record in records.values()):
        return f"next: open {run / 'report' / 'index.html'}; tin browse {name}"
    return f"next: {command}"
