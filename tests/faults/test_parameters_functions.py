"""Every parameter of the public functions with bad values, one at a time.

The bar: a value of the right kind that is out of range, NaN or empty is refused by a ValueError,
TypeError or OSError with a message, or means something (RIGHT). A value of another kind (text for
an array, None for a network) may also end in Python's own AttributeError or LookupError, which
names what is missing. Nothing else is raised, and no result is made of it. NumPy's numbers give
what Python's give, or are refused.
"""

import contextlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_values import RIGHT, bad_values, equal_number, same
from public_calls import CALLS, NOT_TRIED, Toys

import tin_lib
from tin_lib.analysis.runs import Run

REFUSED = (ValueError, TypeError, OSError)
OTHER_KIND = (*REFUSED, AttributeError, LookupError)


def public_names() -> dict[str, Any]:
    """What docs/API.md lists: the object by ``module.name``, without ``tin_lib.``."""
    path = Path(tin_lib.__file__).parents[1] / "docs" / "make_api.py"
    spec = importlib.util.spec_from_file_location("make_api", path)
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    modules = [name for names in page.ROOMS.values() for name in names]
    found = {}
    for module in modules:
        for name, value in page.public(importlib.import_module(f"tin_lib.{module}")):
            found[f"{module}.{name}"] = value
    return found


PUBLIC = public_names()


def test_every_public_name_is_tried_or_listed() -> None:
    listed = NOT_TRIED
    assert not PUBLIC.keys() - CALLS.keys() - listed, "give it a call in public_calls.py"
    assert not (CALLS.keys() | listed) - PUBLIC.keys(), "no public name"
    assert not CALLS.keys() & listed


@pytest.fixture(scope="module")
def toys(run: Run) -> Toys:
    return Toys(run)


@pytest.mark.parametrize("name", CALLS)
def test_bad_values_of_each_parameter(name: str, toys: Toys, fault: Callable[..., Any]) -> None:
    expected = PUBLIC[name](**CALLS[name](toys))
    problems = []
    for parameter, valid in CALLS[name](toys).items():
        for kind, label, value in bad_values(valid):
            if {(parameter, label), (f"{name} {parameter}", label)} & RIGHT:
                continue
            try:
                with fault("bad argument of a function", f"{name} {parameter}={label}"):
                    problem = outcome(PUBLIC[name], CALLS[name](toys) | {parameter: value}, kind)
                    assert not problem, f"{parameter}={label}: {problem}"
            except AssertionError as error:
                problems.append(str(error).splitlines()[0])
        for label, value in equal_number(valid):
            with (
                fault("number type of another library", f"{name} {parameter}={label}"),
                contextlib.suppress(*REFUSED),
            ):
                found = PUBLIC[name](**CALLS[name](toys) | {parameter: value})
                assert same(found, expected), f"{parameter}={label}"
    assert not problems, "\n".join(problems)


def outcome(function: Callable[..., Any], arguments: dict[str, Any], kind: str) -> str:
    """Nothing if the call is refused as it should be, else what happened."""
    try:
        result = function(**arguments)
    except Exception as error:
        told = isinstance(error, OTHER_KIND if kind == "kind" else REFUSED) and str(error)
        return "" if told else f"{type(error).__name__}: {str(error)[:80]!r}"
    if kind == "not finite" and ("nan" in repr(result) or "inf" in repr(result)):
        return ""  # it is seen in the result
    return f"gave {repr(result)[:60]!r}"
