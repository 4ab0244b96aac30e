"""Dependencies: pyproject.toml and environment.yml agree, and declare all that is imported."""

import ast
import sys
import tomllib
from itertools import chain
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {"torch": "pytorch", "playwright": "playwright-python"}
MODULES = {"pillow": "PIL", "pyyaml": "yaml", "ipykernel": "IPython"}  # package -> what it imports
NOT_CORE = ("analysis", "lab", "runner", "__main__.py")
# Imported in the core only if somebody's notebook or a network's name asks for it.
OPTIONAL = {"IPython", "timm"}


def declared(*extras: str) -> dict[str, str]:
    """The dependencies and those of the extras, by name, with their floors."""
    listed = [
        *PROJECT["dependencies"],
        *chain(*(PROJECT["optional-dependencies"][e] for e in extras)),
    ]
    return dict(spec.lower().split(">=") for spec in listed)


def imported(path: Path) -> set[str]:
    """Third-party modules that a source imports, also within functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names - {"tin_lib"}


def test_conda_and_pip_dependencies_agree() -> None:
    pip = {CONDA_NAMES.get(k, k): v for k, v in declared(*PROJECT["optional-dependencies"]).items()}
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = dict(spec.split(">=") for spec in listed if ">=" in spec)
    assert conda.pop("python") == PROJECT["requires-python"].removeprefix(">=")
    assert conda == pip


def test_everything_imported_is_declared() -> None:
    library = ROOT / "tin_lib"
    core = {MODULES.get(name, name) for name in declared()}
    every = {MODULES.get(name, name) for name in declared(*PROJECT["optional-dependencies"])}
    for path in library.rglob("*.py"):
        in_core = path.relative_to(library).parts[0] not in NOT_CORE
        missing = imported(path) - (core | OPTIONAL if in_core else every)
        assert not missing, f"{path.relative_to(ROOT)} imports {missing}"
    assert every >= OPTIONAL
