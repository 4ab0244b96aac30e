"""A user's own networks that steps name: ``my_module:build`` or ``my_file.py:build``.

Their folders are searched in order: that of workbook.yaml, then the current one.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tin_lib.lab.process import path_list

LIBRARIES = ("torchvision", "timm")  # prefixes of networks that these define


def is_own(network: Any) -> bool:
    """Whether a parameter's value names a user's own network."""
    return isinstance(network, str) and network.partition(":")[0] not in (*LIBRARIES, network)


def search(folder: Path) -> tuple[Path, Path]:
    """Where to look for a file or module named in ``folder``'s workbook.yaml."""
    return folder, Path.cwd()


def find_path(path: str, folder: Path) -> str:
    """The absolute path of a file named in a workbook or on the command line."""
    places = [place / Path(path).expanduser() for place in search(folder)]
    return str(next((place for place in places if place.exists()), places[-1]).resolve())


def absolute(network: Any, folder: Path) -> Any:
    """``my_file.py:build`` with an absolute path; other values unchanged."""
    file, _, function = network.rpartition(":") if is_own(network) else ("", "", "")
    return f"{find_path(file, folder)}:{function}" if file.endswith(".py") else network


def source_file(network: Any, folder: Path) -> Path | None:
    """The file that defines an own network, if it is in one of the folders searched."""
    if not is_own(network):
        return None
    module = network.rpartition(":")[0]
    if module.endswith(".py"):
        return Path(find_path(module, folder))
    place = Path(*module.split("."))
    files = [base / f for base in search(folder) for f in (f"{place}.py", place / "__init__.py")]
    return next((file for file in files if file.is_file()), None)


def environment(networks: Iterable[Any], folder: Path) -> dict[str, str]:
    """Variables by which every step can load these networks: TIN_NETWORKS and PYTHONPATH."""
    own = list(dict.fromkeys(network for network in networks if is_own(network)))
    if not own:
        return {}
    given = [name for name in os.environ.get("TIN_NETWORKS", "").split(",") if name]
    found = {"TIN_NETWORKS": ",".join(dict.fromkeys([*given, *own]))}
    modules = [
        n.split(":")[0].split(".")[0] for n in own if not n.rpartition(":")[0].endswith(".py")
    ]
    folders = [p for p in search(folder) if any(is_module(p / module) for module in modules)]
    if folders:
        joined = os.pathsep.join(dict.fromkeys(map(str, folders)))
        found["PYTHONPATH"] = path_list(joined, "PYTHONPATH")
    return found


def is_module(path: Path) -> bool:
    """Whether there is a module or package at ``path`` (without its suffix)."""
    return path.is_dir() or path.with_name(f"{path.name}.py").is_file()
