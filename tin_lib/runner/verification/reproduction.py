"""Training a run's fits again elsewhere, and comparing."""

import functools
import json
import platform
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tin_lib
from tin_lib import files, networks, runs, train
from tin_lib.analysis.arms import DIVERGED
from tin_lib.analysis.runs import open_run
from tin_lib.data.layout import find_root
from tin_lib.lab import launcher
from tin_lib.networks.pretrained import weights_digest
from tin_lib.recipes import Recipe
from tin_lib.runner.verification import votes
from tin_lib.runner.verification.checks import (
    NOT_CHECKED,
    NOTE,
    Check,
    Different,
    make_check,
    make_checks,
)
from tin_lib.runner.verification.comparison import compare_fits
from tin_lib.runner.verification.fit import open_again
from tin_lib.runner.verification.run import fits, is_fit
from tin_lib.runner.verification.votes import MARK
from tin_lib.train.checkpoint import device_name
from tin_lib.train.device import precision
from tin_lib.train.distributed import choose_device


def reproduce(
    folder: str | Path, out: str | Path, data: str | None = None, device: str | None = None
) -> Iterator[Check]:
    """Train every fit of ``folder`` again in ``out``, count the votes again, and compare.

    ``folder``: a run's or a fit's; ``out``: a new folder, or one in which this was interrupted.
    ``data``: the folder of the data if they have moved. ``device``: auto, cpu or cuda; None: each
    fit's own kind. Yields first what is different here from what made the run, then one Check for
    each file. Raises FileNotFoundError if ``folder`` holds no fit or ``data`` is not there,
    ValueError if ``out`` is not a folder for it; Interrupted, a KeyboardInterrupt.
    """
    folder, out = Path(folder).resolve(), Path(out).resolve()
    found, base = ([folder], folder.parent) if is_fit(folder) else (fits(folder), folder)
    if not found:
        raise FileNotFoundError(f"{folder} contains no fit; name a fit's folder or a run's")
    refuse(folder, out)
    if data is not None:
        find_root(data)
    with files.only_one(out / ".reproduce.lock", f"the reproduction in {out}"):
        files.write_json(out / MARK, {"of": str(folder)})
        yield from differences(found, device)
        for path in found:
            name = str(path.relative_to(base))
            again = functools.partial(train_again, path, out / name, data, device)
            for check in compared(path, out / name, again):
                yield Check(f"{name}: {check.name}", check.state, check.detail)
        if base == folder and (folder / votes.FOLDER / "summary.csv").is_file():
            yield from count_again(folder, out)


def refuse(folder: Path, out: Path) -> None:
    """Raise ValueError unless ``out`` is new, or holds a reproduction of ``folder``."""
    if out.is_relative_to(folder) or folder.is_relative_to(out):
        raise ValueError(
            f"--out {out} and {folder} must not contain each other; choose another folder"
        )
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file; name a new folder")
    there = [path.name for path in out.glob("[!.]*")]
    if there and MARK not in there:
        raise ValueError(f"--out {out} holds other files, e.g. {there[0]}; choose a new folder")
    if there and (other := files.read_object(out / MARK).get("of")) != str(folder):
        raise ValueError(f"--out {out} holds a reproduction of {other}; choose a new folder")


def differences(found: list[Path], device: str | None) -> Iterator[Check]:
    """One note for each version, source or device that is another one here."""
    notes: dict[str, None] = {}
    for path in found:
        try:
            notes |= dict.fromkeys(differences_of(path, device))
        except (ValueError, OSError, KeyError, TypeError, AttributeError):
            continue  # its own lines say what is wrong
    for note in notes:
        yield Check("made differently", NOTE, f"{note}; numbers may differ")


def differences_of(path: Path, device: str | None) -> Iterator[str]:
    """What is different here, in words."""
    import torchvision

    meta = files.read_object(path / "meta.json")
    recipe = Recipe.from_dict(files.read_object(path / "recipe.json"))
    here = choose_device(chosen_device(meta, device))
    now = {each.__name__: each.__version__ for each in (torch, torchvision, np, tin_lib)}
    now["python"] = platform.python_version()
    versions = meta.get("versions") or {}
    for name in (name for name in versions if versions[name] != now.get(name)):
        yield f"{name} {versions[name]} made it, here is {now.get(name, 'none')}"
    facts = {
        "source": ("tin_lib's source", files.source_digest(core=True)),
        "instructions": ("the CPU has", torch.backends.cpu.get_cpu_capability()),
    }
    for name, (what, found) in facts.items():
        if meta.get(name, found) != found:
            yield f"{what} {meta[name]}, here {found}"
    recorded, found = kind_of(str(meta.get("device"))), kind_of(device_name(here))
    if recorded != found:
        yield f"device {recorded}, here {found}"
    if recipe.seconds:
        yield f"{path.name} was trained for {recipe.seconds:g} seconds, not for a number of epochs"


def kind_of(device: str) -> str:
    """A recorded device without the number of threads, which is set as recorded."""
    return re.sub(r"\(([^,]*),.*", r"(\1)", device)


def chosen_device(meta: Mapping[str, Any], device: str | None) -> str:
    """The device asked for, else the recorded kind: cpu or cuda."""
    return device or ("cpu" if str(meta.get("device", "cpu")).startswith("cpu") else "cuda")


def compared(path: Path, again: Path, make: Callable[[], str]) -> Iterator[Check]:
    """Train, and compare if that went well."""
    try:
        published = (path / "meta.json").is_file() and files.read_object(path / "meta.json")
        if published and published.get("published"):
            yield Check("training", NOT_CHECKED, "a published network, which was not trained here")
            return
        if not any((path / name).is_file() for name in ("summary.json", DIVERGED)):
            yield Check("training", NOT_CHECKED, "it has not finished; finish it first")
            return
        trained = make_check("trained again", make)
        yield trained
        if not trained.wrong:
            yield from make_checks(compare_fits(path, again))
    except (ValueError, OSError, KeyError, TypeError) as error:
        yield make_check("comparison", functools.partial(_raise, error))


def _raise(error: Exception) -> str:
    raise error


def train_again(path: Path, again: Path, data: str | None, device: str | None) -> str:
    """Train the fit ``path`` again in ``again``; an interrupted or finished training resumes."""
    meta = files.read_object(path / "meta.json")
    recipe, where = recipe_of(path, meta, device), chosen_device(meta, device)
    request = meta.get("data")
    if not request:
        raise Different("the data were not opened from a folder; it cannot be trained again")
    images = open_again(json.dumps(request | ({"data": data} if data else {})))
    if images.fingerprint != meta["fingerprint"]:
        raise Different(f"{images.root} has other images than it was trained on; pass --data DIR")
    processes, before = int(meta.get("processes", 1)), torch.get_num_threads()
    torch.set_num_threads(threads_of(meta) * processes)
    try:
        fit = launcher.fit(recipe, images, again, device=where, processes=processes)
    except train.Diverged as error:
        history = runs.Fit(again).history() if (again / "history.jsonl").is_file() else ()
        files.write_json(again / DIVERGED, {"epoch": len(history) + 1, "message": str(error)})
        return "its loss diverged"
    finally:
        torch.set_num_threads(before)
    return f"{fit.summary['epochs']} epochs in {fit.summary['seconds']:,.0f} s"


def recipe_of(path: Path, meta: Mapping[str, Any], device: str | None) -> Recipe:
    """The recorded recipe with the recorded precision and starting weights.

    Raises Different if the starting weights or the network's function have changed since.
    """
    recipe = Recipe.from_dict(files.read_object(path / "recipe.json"))
    where = choose_device(chosen_device(meta, device))
    if meta.get("precision") and precision(recipe, where) != meta["precision"]:
        recipe = recipe.replace(precision=meta["precision"])  # auto is another one here
    if weights_digest(recipe.weights) != meta.get("start"):
        raise Different(f"its starting weights, {recipe.weights}, are missing or were changed")
    if networks.build_digest(recipe.network) != meta.get("build", ""):
        raise Different(f"the source of the network {recipe.network} has been changed")
    return recipe


def threads_of(meta: Mapping[str, Any]) -> int:
    """The recorded number of threads of each process; this process's own if there is none."""
    found = re.search(r"(\d+) threads", str(meta.get("device")))
    return int(meta.get("threads") or (found[1] if found else torch.get_num_threads()))


def count_again(folder: Path, out: Path) -> Iterator[Check]:
    """Count the votes of the new fits into ``out/ensemble``, and compare them with the recorded."""
    try:
        members, fallback = votes.votes_of(open_run(folder))
        made = votes.makers(open_run(out), members, fallback)
    except (ValueError, OSError, KeyError, TypeError) as error:
        yield make_check(votes.FOLDER, functools.partial(_raise, error))
        return
    files.write_json(out / MARK, {"of": str(folder), "fallback": fallback})
    for name, make in made.items():
        old, new = (place / votes.FOLDER / name for place in (folder, out))
        votes.write(new, make())
        compare = functools.partial(votes.compare_files, old, new)
        yield make_check(f"{votes.FOLDER}/{name}", compare)
