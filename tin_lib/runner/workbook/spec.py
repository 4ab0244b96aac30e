"""``workbook.yaml``: the steps, their needs and outputs, and the profiles."""

import difflib
import graphlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from reprlib import Repr
from typing import Any

import tin_lib

FILE = "workbook.yaml"
WORDS = {list: "list", dict: "mapping of names to texts"}
_SHORT = Repr()
_SHORT.maxlevel = 2  # a few aliases can make a value that is huge
STUDY = "study"  # ``extends: study`` takes over the steps of the repository's own workbook


@dataclass(frozen=True)
class Step:
    """One notebook with its parameters. Globs are relative to the run's folder."""

    name: str
    notebook: str = ""  # file name without .ipynb, or a path; empty: the step's name
    group: str = ""  # other steps may need the whole group
    needs: tuple[str, ...] = ()  # steps that must have finished first, or groups: one step of each
    inputs: tuple[str, ...] = ()  # globs of files it reads; a change of them makes it run again
    outputs: tuple[str, ...] = ()  # globs of files it must write; may contain {parameter}
    parameters: dict[str, Any] = field(default_factory=dict)  # in every profile
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)  # profile -> parameters
    grouped: tuple[str, ...] = ()  # those of the needs that only a group names, see ``expanded``


@dataclass(frozen=True)
class Extra:
    """A folder with additional pages that a step writes; copied into the report."""

    title: str
    folder: str  # relative to the run's folder
    page: str  # the file in it to open
    step: str


@dataclass(frozen=True)
class Workbook:
    """The steps in reading order; their needs are steps and form no cycle."""

    folder: Path  # the folder of workbook.yaml, absolute
    title: str
    about: str
    profiles: dict[str, str]  # name -> one line on what it is for
    steps: dict[str, Step]
    extras: tuple[Extra, ...] = ()
    optional: tuple[str, ...] = ()  # groups that run only when they are asked for

    def notebook(self, name: str) -> Path:
        """Path of a step's notebook: in workbook.yaml's folder, else in the repository's."""
        file = f"{(self.steps[name].notebook or name).removesuffix('.ipynb')}.ipynb"
        own = self.folder / file
        return own if own.is_file() else default_folder() / file

    def find(self, name: str) -> str:
        """Full name of the step called ``name``: the whole name, or its number (``04`` or ``4``).

        Raises ValueError, suggesting close matches, if there is no such step.
        """
        number = f"{int(name):02}" if name.isascii() and name.isdigit() else name
        for wanted in (name, number):
            for step in self.steps:
                if wanted in (step, step.split("_")[0]):
                    return step
        raise ValueError(f"no notebook {name!r} in the workbook{hint(name, self.steps)}")

    def groups(self) -> dict[str, list[str]]:
        """The steps of each group, in reading order."""
        found: dict[str, list[str]] = {}
        for step in self.steps.values():
            if step.group:
                found.setdefault(step.group, []).append(step.name)
        return found

    def group(self, name: str) -> set[str]:
        """The steps of a group and all that they need. Raises ValueError for an unknown group."""
        if name not in self.groups():
            raise ValueError(f"no group {name!r} in the workbook{hint(name, self.groups())}")
        found: set[str] = set()
        waiting = list(self.groups()[name])
        while waiting:
            step = waiting.pop()
            found.add(step)
            waiting += [need for need in self.steps[step].needs if need not in found]
        return found

    def part(self, name: str) -> str:
        """The optional group that a step belongs to; empty for a step of the study itself."""
        group = self.steps[name].group
        return group if group in self.optional else ""

    def check_profile(self, profile: str) -> None:
        """Raise ValueError, suggesting close matches, unless ``profile`` is known."""
        if profile not in self.profiles:
            raise ValueError(f"no profile {profile!r}{hint(profile, self.profiles)}")


def hint(word: str, known: Iterable[str]) -> str:
    """``; did you mean …?`` with close matches, else the list of what is known."""
    known = [str(item) for item in known]
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; known: {', '.join(known) or 'none'}"


def default_folder() -> Path:
    """The folder ``notebooks`` next to the imported ``tin_lib``, else in the current folder."""
    beside = Path(tin_lib.__file__).parents[1] / "notebooks"
    return beside if beside.is_dir() else Path("notebooks").resolve()


def of_profile(profile: str) -> Path:
    """The repository's workbook for a profile: a file of its name, else the study's."""
    own = default_folder() / f"{profile}.yaml"
    return own if own.is_file() else default_folder()


def load_workbook(path: str | Path) -> Workbook:
    """Read a workbook: a YAML file, or a folder with ``workbook.yaml``.

    Raises FileNotFoundError if it, or a notebook it names, is missing, and ValueError, naming
    the file, if it is not a workbook.
    """
    file = Path(path).resolve()
    file = file / FILE if file.is_dir() or file.suffix not in (".yaml", ".yml") else file
    workbook = build(read_content(file), file)
    for name in workbook.steps:
        if not workbook.notebook(name).is_file():
            raise FileNotFoundError(f"{workbook.notebook(name)}, named in {file}, does not exist")
    return workbook


def read_content(file: Path) -> dict[str, Any]:
    """The file's mapping, preceded by the study's steps if it has ``extends: study``."""
    content = read_yaml(file)
    base = content.pop("extends", None)
    if base is None:
        return content
    if base != STUDY:
        raise ValueError(f"{file}: extends: must be {STUDY}, not {base!r}")
    study = read_yaml(default_folder() / FILE)
    joined = {key: [*study.get(key, ()), *(content.get(key) or ())] for key in ("steps", "extras")}
    profiles = study["profiles"] | (content.get("profiles") or {})
    return study | content | joined | {"profiles": profiles}


def read_yaml(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file with a list of steps."""
    from tin_lib.runner.workbook import literals

    if not file.is_file():
        raise FileNotFoundError(f"{file} does not exist; name the workbook's file by --workbook")
    try:
        content = literals.parse(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is not valid YAML: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("steps"), list):
        raise ValueError(f"{file}: a workbook needs a list of steps")
    for key, kind in (("extras", list), ("profiles", dict)):
        if not isinstance(content.get(key) or kind(), kind):
            given = _SHORT.repr(content[key])
            raise ValueError(f"{file}: {key} must be a {WORDS[kind]}, not {given}")
    return content


def build(content: dict[str, Any], file: Path) -> Workbook:
    """The workbook that a file's content describes."""
    try:
        steps = [make_step(item) for item in content["steps"]]
        workbook = Workbook(
            folder=file.parent,
            title=content.get("title", "Workbook"),
            about=content.get("about", ""),
            profiles=dict(content.get("profiles") or {"sample": ""}),
            steps={step.name: step for step in steps},
            extras=tuple(Extra(**item) for item in content.get("extras") or ()),
            optional=names(content.get("optional"), "optional"),
        )
        if len(workbook.steps) < len(steps):
            raise ValueError("two steps have the same name")
        return checked(expanded(workbook))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{file}: {error}") from None


def make_step(item: dict[str, Any]) -> Step:
    """One step; unknown keys are refused by the dataclass."""
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise ValueError(f"steps: {_SHORT.repr(item)} must be a mapping with a name that is text")
    item = dict(item)
    for key in ("needs", "inputs", "outputs"):
        item[key] = names(item.get(key), f"{item['name']}: {key}")
    return Step(**item)


def names(value: Any, what: str) -> tuple[str, ...]:
    """A list of texts; one text alone would be read as its letters."""
    if not isinstance(value or [], list) or not all(isinstance(each, str) for each in value or ()):
        raise ValueError(f"{what} must be a list of texts like ['02'], not {_SHORT.repr(value)}")
    return tuple(value or ())


def expanded(workbook: Workbook) -> Workbook:
    """The workbook with the groups among the needs replaced by their steps."""
    groups = workbook.groups()
    if both := groups.keys() & workbook.steps.keys():
        raise ValueError(f"{min(both)!r} is the name of a step and of a group")
    steps = {}
    for name, step in workbook.steps.items():
        needs = dict.fromkeys(n for need in step.needs for n in groups.get(need, [need]))
        grouped = tuple(need for need in needs if need not in step.needs)
        steps[name] = replace(step, needs=tuple(needs), grouped=grouped)
    return replace(workbook, steps=steps)


def is_inside(name: Any) -> bool:
    """Whether a file of this name, of a step or an extra, lies in the folder it is meant for."""
    path = PureWindowsPath(str(name))  # accepts both separators
    return isinstance(name, str) and bool(path.name) and not path.anchor and ".." not in path.parts


def checked(workbook: Workbook) -> Workbook:
    """The workbook; raises ValueError for unknown needs or profiles, and for cycles."""
    known = [*workbook.steps, *workbook.groups()]
    if unknown := [name for name in workbook.optional if name not in workbook.groups()]:
        raise ValueError(f"optional: no group {unknown[0]!r}{hint(unknown[0], workbook.groups())}")
    within = [*workbook.steps, *(name for e in workbook.extras for name in (e.folder, e.page))]
    if outside := [name for name in within if not is_inside(name)]:
        raise ValueError(f"{outside[0]!r} must be a name or path inside the run's folder")
    for step in workbook.steps.values():
        for need in step.needs:
            if need not in workbook.steps:
                raise ValueError(f"{step.name} needs {need!r}{hint(need, known)}")
        for profile in step.profiles:
            workbook.check_profile(profile)
    try:
        graphlib.TopologicalSorter({s.name: s.needs for s in workbook.steps.values()}).prepare()
    except graphlib.CycleError as error:
        raise ValueError(f"steps need each other in a cycle: {' → '.join(error.args[1])}") from None
    return workbook
