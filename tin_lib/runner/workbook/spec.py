"""``notebooks/workbook.yaml``: the steps, what each needs and leaves, and the profiles."""

import difflib
import graphlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = "workbook.yaml"


@dataclass(frozen=True)
class Step:
    """One notebook. Globs are relative to the run's folder."""

    name: str  # the notebook's file name without .ipynb
    needs: tuple[str, ...] = ()  # steps that must have finished first
    inputs: tuple[str, ...] = ()  # globs of files it reads; a change of them makes it run again
    outputs: tuple[str, ...] = ()  # globs of files that must be there once it has run
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)  # profile -> parameters


@dataclass(frozen=True)
class Extra:
    """A folder with pages of its own that a step leaves; copied into the report."""

    title: str
    folder: str  # relative to the run's folder
    page: str  # the file in it to open
    step: str


@dataclass(frozen=True)
class Workbook:
    """The steps in reading order, checked to be a graph without circles."""

    folder: Path  # where the notebooks lie, absolute
    title: str
    about: str
    profiles: dict[str, str]  # name -> one line on what it is for
    steps: dict[str, Step]
    extras: tuple[Extra, ...] = ()

    def notebook(self, name: str) -> Path:
        """Path of a step's notebook."""
        return self.folder / f"{name}.ipynb"

    def find(self, name: str) -> str:
        """Full name of the step called ``name``: the whole stem, or its number (``04``).

        Raises ValueError, suggesting close matches, when there is no such step.
        """
        for step in self.steps:
            if name in (step, step.split("_")[0]):
                return step
        raise ValueError(f"no notebook {name!r} in the workbook{hint(name, self.steps)}")

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


def load_workbook(folder: str | Path) -> Workbook:
    """Read ``workbook.yaml`` in ``folder``.

    Raises FileNotFoundError when it, or a notebook it names, is missing, and ValueError, naming
    the file, when it is not a workbook.
    """
    folder = Path(folder).resolve()
    workbook = build(read_yaml(folder / FILE), folder)
    for name in workbook.steps:
        if not workbook.notebook(name).is_file():
            raise FileNotFoundError(f"{workbook.notebook(name)}, named in {FILE}, does not exist")
    return workbook


def read_yaml(path: Path) -> dict[str, Any]:
    """The file's mapping."""
    import yaml

    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; name the notebooks' folder by --notebooks")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(content, dict) or not content.get("steps"):
        raise ValueError(f"{path}: a workbook needs a list of steps")
    return content


def build(content: dict[str, Any], folder: Path) -> Workbook:
    """The workbook that a file's content describes."""
    try:
        steps = [make_step(item) for item in content["steps"]]
        workbook = Workbook(
            folder=folder,
            title=content.get("title", "Workbook"),
            about=content.get("about", ""),
            profiles=dict(content.get("profiles") or {"sample": ""}),
            steps={step.name: step for step in steps},
            extras=tuple(Extra(**item) for item in content.get("extras") or ()),
        )
        if len(workbook.steps) < len(steps):
            raise ValueError("two steps have the same name")
        check_graph(workbook)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{folder / FILE}: {error}") from None
    return workbook


def make_step(item: dict[str, Any]) -> Step:
    """One step; unknown keys are refused by the dataclass."""
    item = dict(item)
    for key in ("needs", "inputs", "outputs"):
        item[key] = tuple(item.get(key) or ())
    return Step(**item)


def check_graph(workbook: Workbook) -> None:
    """Raise ValueError for unknown needs or profiles, and for circles."""
    for step in workbook.steps.values():
        for need in step.needs:
            if need not in workbook.steps:
                raise ValueError(f"{step.name} needs {need!r}{hint(need, workbook.steps)}")
        for profile in step.profiles:
            workbook.check_profile(profile)
    try:
        graphlib.TopologicalSorter({s.name: s.needs for s in workbook.steps.values()}).prepare()
    except graphlib.CycleError as error:
        raise ValueError(
            f"steps need each other in a circle: {' → '.join(error.args[1])}"
        ) from None
