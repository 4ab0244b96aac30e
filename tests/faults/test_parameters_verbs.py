"""Every option of every verb with bad values: status 2, one message that names the option or the
value, no traceback, and nothing is created or changed.

Options and their types are read from the parser, so a new option is tested as soon as it exists; a
verb without a valid call in VALID fails.
"""

import argparse
import functools
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import workbook_toys
from data_folder import write_folder

from tin_lib.__main__ import build_parser, main
from tin_lib.lab.widgets import serve

KIND = "bad option of a command"
HUGE, LONG = "9" * 30, "x" * 300
FIT = "run/networks/convnet9"
SMALL = {"--recipe": "quick", "--per-class": "4", "--set": ("epochs=1", "width=0.1")}
# A call of each verb that works; every bad value replaces one of its arguments, or is added.
VALID: dict[str, dict[str, Any]] = {
    "download": {"DIR": "out", "--source": "toy.zip", "--md5": "none"},
    "sample": {"DIR": "out"},
    "pack": {"DATA": "data"},
    "features": {"network": FIT, "--out": "out", "--classes": "2", "--per-class": "4"},
    "probe": {"DIR": "features"},
    "train": {"network": "vgg_like", "--out": "out", **SMALL},
    "sweep": {"network": "vgg_like", "--out": "out", "--grid": "lr=0.01", **SMALL},
    "lr-find": {"network": "vgg_like", "--updates": "10", **SMALL},
    "submit": {"FIT": FIT, "--out": "out"},
    "prune": {"FIT": FIT, "--keep": "0.5", "--out": "out.safetensors"},
    "publish": {"FIT": FIT, "--out": "out.safetensors"},
    "import": {"FILE": "card.safetensors", "--data": "sample", "--run": "out"},
    "vote": {"FILE": "a.txt", "--fallback": "a.txt", "--out": "out"},
    "run": {"--workbook": "book", "--run": "out"},
    "status": {"RUN": "run", "--workbook": "book"},
    "report": {"RUN": "run", "--workbook": "book"},
    "predict": {"FIT": FIT, "PICTURE": "picture.JPEG"},
    "browse": {"RUN": "run", "--no-open": None},
    "verify": {"RUN": "run"},
    "reproduce": {"RUN": "run", "--out": "out"},
    "completion": {"SHELL": "bash"},
}
WHOLE = ["", "x", "1.5", "nan", "-1", "0", HUGE, "9" * 5000, "True"]
NUMBER = ["", "x", "nan", "inf", "-inf", "-1", "1e400", "None"]
TEXT = ["", "absent/x", "\udcff", "/dev/null", "None", "-1", "nan", LONG]
OUTPUT = ["", "a.txt/x", LONG]  # any other name is one
OUTPUTS = {("sample", "DIR"), ("download", "DIR"), ("import", "--run"), ("run", "--run")}
# Values of structured options, and outside the range of one option.
MORE: dict[str, list[Any]] = {
    "--keep": ["0", "2"],
    "--holdout": ["1", "0.99"],
    "--low": ["0", "11"],
    "--high": ["0", "1e-8"],
    "--updates": ["9"],
    "--port": ["65536"],
    "--set": [
        "epochs", "=3", ("epochs=1", "epochs=2"), "epochs=x", "epochs=1.5", "epochs=null",
        "epochs=[1]", "epochs={}", "epochs=nan", "epochs=1e999", "epochs=true", "epochs=", "lr=nan",
        "lr=-1", "width=inf", "augment=3", "augment=null", 'augment={"mode": 3}', "augment={1}",
        "network_options=[]", 'network_options={"x": 1}', "sizes=3", "trainable=3", "seed=-1",
        'trainable=["x"]', "network=x", "weights=absent", "batch_size=1", "precision=x", "keep=1",
    ],
    "--grid": ["lr", "=1", "lr=", "epochs=x", "epochs=1,0", "width=nan", ("lr=1", "lr=2"), "lr=[]"],
    "--parameter": [
        "epochs=2", "01.epochs", "01.epochs=", "01.epochs=x", "01.epochs=1.5", "01.epochs=[1",
        "01.epochs=2024-01-01", "01.epochs=yes", "01.epochs=null", "01.absent=1", "99.epochs=1",
        "all.absent=1", "01.epochs=!!python/name:os.system", ("01.epochs=1", "01.epochs=2"),
    ],
}  # fmt: skip
# What looks bad and is right: a free port; no check of the md5; at most an epoch is profiled; all
# images that there are; a device to write into.
RIGHT = {
    ("browse", "--port", "0"),
    ("download", "--md5", "None"),
    ("train", "--profile-steps", HUGE),
    *((verb, "--per-class", HUGE) for verb in ("train", "sweep", "lr-find", "features")),
    *((verb, "--out", "/dev/null") for verb in ("submit", "vote", "lr-find")),
}


@functools.cache
def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each verb."""
    (verbs,) = build_parser()._subparsers._group_actions  # type: ignore[union-attr]
    return dict(verbs.choices)  # type: ignore[call-overload]


def name_of(action: argparse.Action) -> str:
    names = action.option_strings or [str(action.metavar or action.dest)]
    return names[-1]


def bad_values(verb: str, action: argparse.Action) -> list[Any]:
    """Values to try for an argument, by its type, its role and its name."""
    name = name_of(action)
    if action.dest in ("help", "debug"):
        return []
    if action.nargs == 0:
        return ["x"]
    values = {int: WHOLE, float: NUMBER}.get(action.type, TEXT)  # type: ignore[call-overload]
    if name == "--out" or (verb, name) in OUTPUTS:
        values = OUTPUT
    return [v for v in [*values, *MORE.get(name, [])] if (verb, name, v) not in RIGHT]


def command(verb: str, given: dict[str, Any]) -> list[str]:
    """The words of a command line: options, then what has no option."""
    options, others = [], []
    for action in parsers()[verb]._actions:
        name = name_of(action)
        if name not in given:
            continue
        values = given[name] if isinstance(given[name], tuple) else (given[name],)
        if action.option_strings:
            options += [name if value is None else f"{name}={value}" for value in values]
        else:
            others += values
    return [verb, *options, "--", *others] if others else [verb, *options]


def run(words: list[str]) -> int:
    """The exit status, argparse's too."""
    try:
        return main(words)
    except SystemExit as stop:
        return int(stop.code or 0)


def files_here() -> dict[str, tuple[int, int]]:
    found = {str(path): path.lstat() for path in Path().rglob("*")}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in found.items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a run, features, a published network, votes, an archive, a workbook."""
    folder = tmp_path_factory.mktemp("verbs")
    before = Path.cwd()
    os.chdir(folder)
    try:
        official = write_folder(folder / "data")
        with zipfile.ZipFile("toy.zip", "w") as archive:
            for path in official.rglob("*"):
                archive.write(path, Path("tiny-imagenet-200") / path.relative_to(official))
        shutil.copy(next(official.rglob("*.JPEG")), "picture.JPEG")
        workbook_toys.write_workbook(folder / "book", {"01_first": {"group": "toys"}})
        for verb, given in (
            ("train", {"network": "convnet9", "--out": FIT, **SMALL}),
            ("publish", {"FIT": FIT, "--out": "card.safetensors"}),
            ("submit", {"FIT": FIT, "--out": "a.txt"}),
            ("features", {"network": FIT, "--out": "features", "--per-class": "4"}),
            ("pack", {"DATA": "data"}),
        ):
            assert main(command(verb, given)) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def folder(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder as the working directory; ``tin browse`` starts no server."""
    monkeypatch.chdir(made)
    server = type("Server", (), {"start": lambda self: None})
    monkeypatch.setattr(serve, "application", lambda *_: server())
    return made


@pytest.mark.parametrize("verb", parsers())
def test_bad_values_of_each_option(
    verb: str, folder: Path, fault: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before, problems = files_here(), []
    for action in parsers()[verb]._actions:
        for value in bad_values(verb, action):
            name = name_of(action)
            try:
                with fault(KIND, f"{verb} {name} {value!s:.40}"):
                    status = run(command(verb, VALID[verb] | {name: value}))
                    check(capsys.readouterr(), status, action, value)
                    left = sorted(files_here().items() ^ before.items())
                    assert not left, f"{verb} {name}={value!r:.40} left {left}"
            except AssertionError as error:
                problems.append(str(error).splitlines()[0])
                remove_new(before)
    assert not problems, "\n".join(problems)


def check(told: Any, status: int, action: argparse.Action, value: Any) -> None:
    """One message, status 2, that names the option or the value; argparse's follows the usage.
    ``tin verify`` prints it among its checks, status 1."""
    *usage, message = told.err.strip().splitlines() or [told.out if status == 1 else ""]
    said = f"{name_of(action)}={value!r:.40}: status {status}, {message!r:.300}"
    assert status == 2 or not told.err, said
    assert "Traceback" not in told.err, said
    assert not usage or usage[0].startswith("usage: tin"), said
    assert "--debug" not in message, said
    text = str(value[-1] if isinstance(value, tuple) else value)
    names = {name_of(action).strip("-"), action.dest, text, *re.findall(r"[\w-]+", text)}
    shown = {name.encode("ascii", "backslashreplace").decode().lower() for name in names if name}
    message = message.lower().replace(",", "").replace("_", "-")
    assert any(name.replace("_", "-") in message for name in shown), said


def remove_new(before: dict[str, tuple[int, int]]) -> None:
    """Remove what is there now and was not before."""
    for path in map(Path, files_here().keys() - before.keys()):
        if path.exists():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("verb", parsers())
def test_the_call_is_valid_otherwise(verb: str, folder: Path) -> None:
    before = files_here()
    assert run(command(verb, VALID[verb])) == 0
    remove_new(before)
