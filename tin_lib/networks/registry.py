"""Networks by name: built-in ones, registered ones, and those of torchvision and timm.

A name of the form ``module:build`` or ``path/to/file.py:build`` means a function of the user's.
Nothing imports it but ``trust`` and the environment variable TIN_NETWORKS (a comma-separated list
of such names), so that no file of weights or recipe can name code to run.
"""

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from torch import nn

from tin_lib import catalog
from tin_lib.networks import wrapped
from tin_lib.networks.base import Network
from tin_lib.networks.wrapped import WrappedNetwork, check_scores

Build = Callable[..., nn.Module]
ENVIRONMENT = "TIN_NETWORKS"
BUILT_IN = {name: name for name in catalog.ORDER} | {"resnet18": "resnet"}  # name: module
PLAIN = (str, int, float, list, tuple, dict, type(None))  # of JSON, saved with the weights
LIBRARIES = ("torchvision", "timm")
_registered: dict[str, Build] = {}
_imported: set[str] = set()  # entries of TIN_NETWORKS


def register(name: str, build: Build, *, title: str = "") -> None:
    """Make a network known by ``name`` in this process; ``title`` is its name in texts and figures.

    ``build(num_classes, width=1.0, **options)`` returns any ``nn.Module`` that maps normalised
    images (N, 3, 64, 64) to scores (N, num_classes). Its other keyword arguments are the network's
    options. ``width``, a factor on channel counts, may be missing. ValueError for other names.
    """
    if name in BUILT_IN or not re.fullmatch(r"\w[\w.+-]*", name):
        rule = f"choose letters, digits, '_', '-', '.', and none of {', '.join(BUILT_IN)}"
        raise ValueError(f"name={name!r}: {rule}")
    _registered[name] = build
    catalog.TITLES[name] = title or name


def trust(name: str) -> str:
    """Import the network ``module:build`` or ``path/to/file.py:build``, also for child processes.
    Returns its name without folders, and any other name as it is. ValueError when this fails."""
    if ":" not in name or name.partition(":")[0] in LIBRARIES:
        return name
    location, _, attribute = name.rpartition(":")
    package = location.partition(".")[0]
    here = location.endswith(".py") or Path(f"{package}.py").exists() or Path(package).is_dir()
    entry = f"{Path(location).resolve() if here else location}:{attribute}"
    _import(entry)
    others = [each for each in _entries() if short(each) != short(name)]
    os.environ[ENVIRONMENT] = ",".join([entry, *others])
    return short(name)


def short(name: str) -> str:
    """A name without folders: ``net.py:build`` for ``path/to/net.py:build``."""
    return name.replace("\\", "/").rpartition("/")[2]


def names() -> list[str]:
    """Names of the built-in networks, the paper's first, and of the registered ones."""
    return [*BUILT_IN, *_registered]


def options(name: str) -> dict[str, Any]:
    """A network's options with their defaults. Raises ValueError for an unknown network."""
    known = _parameters(find(name))
    return {k: p.default for k, p in known.items() if k != "width" and isinstance(p.default, PLAIN)}


def build_digest(name: str) -> str:
    """SHA-256 of the source of a registered network's function; "" for other networks."""
    call, text = find(name), ""
    if short(name) in _registered:
        with contextlib.suppress(OSError, TypeError):  # no source: an interactive session
            path = Path(inspect.getsourcefile(call) or "")
            text = path.read_text() if path.is_file() else inspect.getsource(call)
    return text and hashlib.sha256(text.encode()).hexdigest()


def has_width(name: str) -> bool:
    """Whether a network can be made narrower or wider. Raises ValueError for an unknown one."""
    return "width" in _parameters(find(name))


def build(name: str, num_classes: int, width: float, given: dict[str, Any]) -> Network:
    """A network with random weights, drawn from torch's global generator. ValueError for an
    unknown name or option, and for a network that fails on images."""
    if num_classes < 2:
        raise ValueError(f"num_classes={num_classes}: a network needs at least 2 classes")
    if not 0 < width <= 8:
        raise ValueError(f"width={width}: must lie above 0 and be at most 8")
    if width != 1 and not has_width(name):
        raise ValueError(f"width={width}: {name} has no parameter width; leave it at 1")
    call = find(name)
    given = _checked(name, call, given)
    try:
        module = call(num_classes, **({"width": width} if has_width(name) else {}), **given)
        if not isinstance(module, nn.Module):
            raise ValueError(f"build returns {type(module).__name__}; must return an nn.Module")
        network = module if isinstance(module, Network) else WrappedNetwork(module, num_classes)
        if network is module and name not in BUILT_IN:
            check_scores(network, num_classes)
    except Exception as error:  # anything, from code of others
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"network {name!r}: {kind}{error}") from error
    network.name, network.num_classes, network.width = short(name), num_classes, float(width)
    network.options = options(name) | given
    return network


def _checked(name: str, call: Build, given: dict[str, Any]) -> dict[str, Any]:
    """The options, lists as tuples where the default is one: JSON has only lists."""
    known = _parameters(call)
    try:
        inspect.signature(call).bind(None, **given)
    except TypeError as error:
        listed = ", ".join(key for key in known if key != "width") or "none"
        raise ValueError(f"{name}: {error}; options: {listed}") from None
    if bad := [key for key, value in given.items() if not isinstance(value, PLAIN)]:
        raise ValueError(f"{name}: option {bad[0]}={given[bad[0]]!r} must be a JSON value")
    tuples = {key for key, each in known.items() if isinstance(each.default, tuple)}
    given = {k: tuple(v) if k in tuples and isinstance(v, list) else v for k, v in given.items()}
    for key, value in given.items() if name in BUILT_IN else ():
        if wrong := _misfit(value, known[key]):
            raise ValueError(f"{name}: {key}={value!r}: {wrong}")
    return given


def _misfit(value: Any, option: inspect.Parameter) -> str:
    """What keeps a value from being that of a built-in network's option; "" if nothing does."""
    kind, choices = type(option.default), get_args(option.annotation)
    if type(value) is not kind and not (kind is float and type(value) is int):
        return f"must be of type {kind.__name__}"
    if get_origin(option.annotation) is Literal and value not in choices:
        return f"choose {' or '.join(choices)}"
    if option.name == "dropout" and not 0 <= value < float("inf"):
        return "must be 0 or more"
    rate = option.name in ("dropconnect", "drop_path")
    return "must lie in [0, 1)" if rate and not 0 <= value < 1 else ""


def _parameters(call: Build) -> dict[str, inspect.Parameter]:
    """All but the first, the number of classes."""
    return dict(list(inspect.signature(call).parameters.items())[1:])


def find(name: str) -> Build:
    """The function that builds a network; ValueError says how to make an unknown one known."""
    if name in BUILT_IN:
        return importlib.import_module(f"tin_lib.networks.{BUILT_IN[name]}").build
    library, _, model = name.partition(":")
    if library in LIBRARIES:
        return functools.partial(getattr(wrapped, library), model)
    for entry in _entries():
        if short(name) not in _registered and entry not in _imported:
            _import(entry)
    if short(name) not in _registered:
        raise ValueError(
            f"no network {name!r}; networks: {', '.join(names())}, torchvision:NAME, timm:NAME; "
            "make others known by networks.register(name, build), networks.trust('path/to/file.py:"
            f"build') or set {ENVIRONMENT}=path/to/file.py:build"
        )
    return _registered[short(name)]


def _entries() -> list[str]:
    return [entry.strip() for entry in os.environ.get(ENVIRONMENT, "").split(",") if entry.strip()]


def _import(entry: str) -> None:
    """Import ``[folder/]module[.py]:build`` and register its function."""
    location, _, attribute = entry.rpartition(":")
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
        call = getattr(module, attribute)
    except Exception as error:  # anything, from code of others
        raise ValueError(f"network {entry}: {type(error).__name__}: {error}") from error
    if not callable(call):
        raise ValueError(f"network {entry}: {attribute} is not a function")
    _imported.add(entry)
    _registered[short(entry)] = call
