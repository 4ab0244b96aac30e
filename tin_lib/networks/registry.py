"""Networks by name: built-in ones, registered ones, and those of torchvision and timm.

A name of the form ``module:build`` or ``path/to/file.py:build`` means a function of the user's.
Nothing imports it but ``trust`` and the environment variable TIN_NETWORKS (a comma-separated list
of such names), so that no file of weights or recipe can name code to run.
"""

import functools
import importlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from tin_lib import catalog
from tin_lib.networks import libraries
from tin_lib.networks.base import Network
from tin_lib.networks.wrapped import WrappedNetwork, check_scores

Build = Callable[..., nn.Module]
ENVIRONMENT = "TIN_NETWORKS"
BUILT_IN = {"resnet18": "resnet"} | {n: n for n in ("convnet9", "vgg_like", "vgg16", "alexnet")}
PLAIN = (str, int, float, list, tuple, dict, type(None))  # of JSON, saved with the weights
LIBRARIES = ("torchvision", "timm")
_registered: dict[str, Build] = {}
_imported: set[str] = set()  # entries of TIN_NETWORKS


def register(name: str, build: Build, *, title: str = "") -> None:
    """Make a network known by ``name`` in this process; ``title`` is its name in texts and figures.

    ``build(num_classes, width=1.0, **options)`` returns any ``nn.Module`` that maps normalised
    images (N, 3, 64, 64) to scores (N, num_classes). Its other keyword arguments are the network's
    options. ``width``, a factor on channel counts, may be missing. Raises ValueError for a name
    that is built in or that a folder cannot have.
    """
    if name in BUILT_IN or not re.fullmatch(r"\w[\w.+-]*", name):
        raise ValueError(
            f"name={name!r}: choose letters, digits, '_', '-' and '.', and no built-in "
            f"network's name ({', '.join(sorted(BUILT_IN))})"
        )
    if not callable(build):
        raise ValueError(f"build={build!r}: must be a function of the number of classes")
    _registered[name] = build
    catalog.TITLES[name] = title or name


def trust(name: str) -> str:
    """Import the network ``module:build`` or ``path/to/file.py:build`` and register it.

    Child processes can then load it, too (through TIN_NETWORKS). A module may be in the working
    directory. Returns the name to use from now on, without folders; any other name as it is.
    Raises ValueError when the import fails.
    """
    if ":" not in name or name.partition(":")[0] in LIBRARIES:
        return name
    location, _, attribute = name.rpartition(":")
    path = Path(location)
    if path.suffix == ".py":
        location = str(path.resolve())
    elif Path(f"{location.split('.')[0]}.py").exists() or Path(location.split(".")[0]).is_dir():
        location = str(Path.cwd() / location)
    entry = f"{location}:{attribute}"
    _import(entry)
    others = [each for each in _entries() if short(each) != short(entry)]
    os.environ[ENVIRONMENT] = ",".join([entry, *others])
    return short(name)


def short(name: str) -> str:
    """A name without folders: ``net.py:build`` for ``path/to/net.py:build``."""
    return name.replace("\\", "/").rpartition("/")[2]


def names() -> list[str]:
    """Names of the built-in networks, the paper's first, and of the registered ones."""
    return [*catalog.ordered(BUILT_IN), *_registered]


def options(name: str) -> dict[str, Any]:
    """A network's options with their defaults. Raises ValueError for an unknown network."""
    if name in BUILT_IN:
        return asdict(_module(name).Options())
    parameters = _parameters(find(name))
    return {k: p.default for k, p in parameters.items() if isinstance(p.default, PLAIN)}


def has_width(name: str) -> bool:
    """Whether a network can be made narrower or wider. Raises ValueError for an unknown one."""
    return name in BUILT_IN or "width" in inspect.signature(find(name)).parameters


def find(name: str) -> Build:
    """The function that builds a network that is not built in.

    Raises ValueError, saying how to make it known, for an unknown one.
    """
    library, _, model = name.partition(":")
    if library in LIBRARIES:
        return functools.partial(getattr(libraries, library), model)
    if short(name) not in _registered:
        for entry in _entries():
            if entry not in _imported:
                _import(entry)
    if short(name) not in _registered:
        known = f"networks: {', '.join(names())}, torchvision:NAME, timm:NAME"
        hint = "; make others known by networks.register"
        if ":" in name:  # of a file's name the folder is not recorded
            whole = f"path/to/{name}" if ".py:" in name else name
            known = f"call networks.trust({whole!r}) or set {ENVIRONMENT}={whole}"
            hint = " to have it imported"
        raise ValueError(f"no network {name!r}; {known}{hint}")
    return _registered[short(name)]


def build(name: str, num_classes: int, width: float, given: dict[str, Any]) -> Network:
    """A network with random weights, drawn from torch's global generator.

    Raises ValueError for an unknown name or option, and for a network that fails on images.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes={num_classes}: a network needs at least 2 classes")
    if not 0 < width <= 8:
        raise ValueError(f"width={width}: must lie above 0 and be at most 8")
    make = _built_in if name in BUILT_IN else _own
    network = make(name, num_classes, width, given)
    network.name, network.num_classes, network.width = short(name), num_classes, float(width)
    return network


def _built_in(name: str, num_classes: int, width: float, given: dict[str, Any]) -> Network:
    _check_known(name, given, options(name))
    module = _module(name)
    chosen = module.Options(**given)
    network = module.build(num_classes, width, chosen)
    network.options = asdict(chosen)
    return network


def _own(name: str, num_classes: int, width: float, given: dict[str, Any]) -> Network:
    call, parameters = find(name), _parameters(find(name))
    if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(call).parameters.values()):
        _check_known(name, given, parameters)
    if missing := [k for k, p in parameters.items() if p.default is p.empty and k not in given]:
        raise ValueError(f"{name} needs the option {missing[0]!r}: give it in network_options")
    if bad := [key for key, value in given.items() if not isinstance(value, PLAIN)]:
        raise ValueError(f"{name}: option {bad[0]}={given[bad[0]]!r} must be a JSON value")
    if not has_width(name) and width != 1:
        raise ValueError(f"width={width}: {name} has no parameter width; leave it at 1")
    try:
        module = call(num_classes, **({"width": width} if has_width(name) else {}), **given)
        if isinstance(module, Network):
            check_scores(module, num_classes)
            network = module
        elif isinstance(module, nn.Module):
            network = WrappedNetwork(module, num_classes)
        else:
            raise ValueError(f"build returns {type(module).__name__}; must return an nn.Module")
    except Exception as error:  # anything, from code of others
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"network {name!r}: {kind}{error}") from error
    network.options = options(name) | given
    return network


def _check_known(name: str, given: dict[str, Any], known: Any) -> None:
    if unknown := sorted(given.keys() - known.keys()):
        listed = ", ".join(known) or "none"
        raise ValueError(f"{name} has no option {unknown[0]!r}; options: {listed}")


def _module(name: str) -> ModuleType:
    """The module of a built-in network."""
    return importlib.import_module(f"tin_lib.networks.{BUILT_IN[name]}")


def _parameters(call: Build) -> dict[str, inspect.Parameter]:
    """The parameters that are options: all but the first, ``width`` and ``**options``."""
    known = list(inspect.signature(call).parameters.values())[1:]
    fixed = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {p.name: p for p in known if p.name != "width" and p.kind not in fixed}


def _entries() -> list[str]:
    return [entry.strip() for entry in os.environ.get(ENVIRONMENT, "").split(",") if entry.strip()]


def _import(entry: str) -> None:
    """Import ``[folder/]module[.py][:build]`` and register its function."""
    location, _, attribute = entry.rpartition(":") if ":" in short(entry) else (entry, "", "")
    folder, _, name = location.replace("\\", "/").rpartition("/")
    if folder and folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        if name.endswith(".py"):
            spec = importlib.util.spec_from_file_location(f"tin_networks_{name[:-3]}", location)
            module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
            sys.modules[module.__name__] = module  # dataclasses and torch look for it there
            spec.loader.exec_module(module)  # type: ignore[union-attr]
        else:
            module = importlib.import_module(name)
        call = getattr(module, attribute) if attribute else None
    except Exception as error:  # anything, from code of others
        raise ValueError(f"network {entry}: {type(error).__name__}: {error}") from error
    _imported.add(entry)
    if attribute:
        if not callable(call):
            raise ValueError(f"network {entry}: {attribute} is not a function")
        _registered[short(entry)] = call
