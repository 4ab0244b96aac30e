"""Parameters of the notebooks: what each declares, what is given, and whether that fits."""

import ast
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tin_lib import catalog
from tin_lib.runner.workbook import own_networks
from tin_lib.runner.workbook.spec import Step, Workbook, hint

COMMON = ("data", "run")  # set by --data and --run for every notebook that declares them
FILES = ("network",)  # parameters that may name a file: a user's own network
EVERY = "all"  # means every notebook that declares the parameter
TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
    "None": (type(None),),
}


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's parameters cell."""

    name: str
    type_hint: str  # as written, e.g. "int | None"; empty if there is none
    default: Any


def declared(notebook: Path) -> dict[str, Parameter]:
    """The parameters a notebook declares in the cell tagged ``parameters``.

    The cell is read as Python: papermill's own inspection goes line by line and misses
    ``int | None``. Raises ValueError, naming the notebook, for anything but literals: a derived
    value would not follow an injected one.
    """
    try:
        tree = ast.parse(parameters_cell(notebook))
        found = [read_line(line) for line in tree.body]
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{notebook}: the parameters cell must hold literals: {error}") from None
    return {parameter.name: parameter for parameter in found}


def parameters_cell(notebook: Path) -> str:
    """Source of the first cell tagged ``parameters``, empty if there is none."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{notebook} is not a notebook ({error})") from None
    for cell in cells:
        if "parameters" in cell.get("metadata", {}).get("tags", []):
            return "".join(cell["source"])
    return ""


def read_line(line: ast.stmt) -> Parameter:
    """``name: hint = literal`` or ``name = literal``."""
    if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value:
        return Parameter(line.target.id, ast.unparse(line.annotation), ast.literal_eval(line.value))
    if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
        return Parameter(line.targets[0].id, "", ast.literal_eval(line.value))
    raise ValueError(f"line {line.lineno} is not of the form name: type = value")


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """``["02.epochs=3"]`` -> ``{"02.epochs": 3}``; the values are YAML literals.

    Raises ValueError for anything not of the form NN.parameter=value, and for one given twice.
    """
    values: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or "." not in name or name in values:
            raise ValueError(f"-p {text}: write NN.parameter=value, e.g. 02.epochs=3, each once")
        try:
            values[name] = read_value(value)
        except ValueError as error:
            raise ValueError(f"-p {text}: {error}") from None
    return values


def read_value(text: str) -> Any:
    """The value of a YAML literal; see ``literals``."""
    from tin_lib.runner.workbook import literals

    if not text.strip():
        raise ValueError("the value is missing; write null for None, '' for an empty text")
    try:
        return literals.parse(text.strip())
    except ValueError as error:
        raise ValueError(f"the value is not a YAML literal ({error})") from None


def resolve(
    workbook: Workbook, profile: str, given: Mapping[str, Any], common: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Final parameters of every step: ``common``, the step's, its profile's, then those given.

    Raises ValueError, before anything runs, for an unknown profile, notebook or parameter (with
    close matches) and for a value that the type hint does not allow.
    """
    workbook.check_profile(profile)
    known = {name: declared(workbook.notebook(name)) for name in workbook.steps}
    final = {name: {k: common[k] for k in common if k in known[name]} for name in known}
    for name, step in workbook.steps.items():
        for parameter, value in (step.parameters | step.profiles.get(profile, {})).items():
            final[name][parameter] = checked(name, parameter, value, known[name])
    for target, value in given.items():
        for name, parameter in targets(workbook, known, target):
            final[name][parameter] = checked(name, parameter, value, known[name])
    return {name: with_paths(values, workbook.folder) for name, values in final.items()}


def with_paths(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The parameters with absolute paths of files: a kernel works in another folder."""
    found = {name: own_networks.absolute(v, folder) for name, v in values.items() if name in FILES}
    weights = values.get("weights")
    if weights not in (None, "imagenet"):
        found["weights"] = own_networks.find_path(weights, folder)
    return values | found


def fill_outputs(workbook: Workbook, final: Mapping[str, Mapping[str, Any]]) -> Workbook:
    """The workbook with ``{parameter}`` in the steps' outputs replaced, fit for a file's name.

    Raises ValueError for a name that is no parameter of the step.
    """

    def filled(step: Step) -> Step:
        defaults = {p.name: p.default for p in declared(workbook.notebook(step.name)).values()}
        values = defaults | dict(final[step.name])
        names = {name: catalog.folder_name(str(value)) for name, value in values.items()}
        try:
            return replace(step, outputs=tuple(glob.format_map(names) for glob in step.outputs))
        except KeyError as error:
            unknown = error.args[0]
            raise ValueError(
                f"{step.name}: outputs: no parameter {unknown!r}{hint(unknown, names)}"
            ) from None

    steps = {s.name: filled(s) if "{" in "".join(s.outputs) else s for s in workbook.steps.values()}
    return replace(workbook, steps=steps)


def targets(
    workbook: Workbook, known: Mapping[str, Mapping[str, Parameter]], target: str
) -> list[tuple[str, str]]:
    """The (step, parameter) pairs that ``NN.parameter`` or ``all.parameter`` means."""
    prefix, _, parameter = target.partition(".")
    if parameter in COMMON:
        raise ValueError(
            f"-p {target}: {parameter} is the same for all notebooks; use --{parameter}"
        )
    if prefix != EVERY:
        return [(workbook.find(prefix), parameter)]
    found = [(name, parameter) for name in known if parameter in known[name]]
    if not found:
        every = sorted({p for names in known.values() for p in names})
        raise ValueError(f"no notebook has a parameter {parameter!r}{hint(parameter, every)}")
    return found


def checked(step: str, name: str, value: Any, known: Mapping[str, Parameter]) -> Any:
    """Return ``value`` if the step declares the parameter and its type hint allows the value."""
    if name not in known:
        raise ValueError(f"{step} has no parameter {name!r}{hint(name, known)}")
    value = as_python(value, known[name].type_hint)
    unset = value is None and known[name].default is None  # e.g. classes: int = None
    if not unset and not allowed(value, known[name].type_hint):
        raise ValueError(
            f"{step}.{name} must be {known[name].type_hint}, not {value!r} ({type(value).__name__})"
        )
    return value


def as_python(value: Any, type_hint: str) -> Any:
    """NumPy's and pandas' scalars as Python's, and a whole float as the int that is asked for."""
    if getattr(value, "ndim", None) == 0:
        value = value.item()
    asked = [part.strip() for part in type_hint.split("|")]
    if isinstance(value, float) and "int" in asked and "float" not in asked and value.is_integer():
        return int(value)
    return value


def allowed(value: Any, type_hint: str) -> bool:
    """Whether a value fits a hint such as ``int``, ``list[str]`` or ``int | None``.

    Element types are not checked, and a hint not in TYPES allows everything.
    """
    names = [part.split("[")[0].strip() for part in type_hint.split("|")]
    if not all(name in TYPES for name in names):
        return True
    if isinstance(value, bool):  # to Python a bool is an int
        return "bool" in names
    if isinstance(value, float) and not math.isfinite(value):
        return False  # what a table has for an empty cell
    return isinstance(value, tuple(kind for name in names for kind in TYPES[name]))
