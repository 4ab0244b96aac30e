"""Parameters and workbook files of another type: converted exactly, or one message that says what
is expected."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import workbook_toys
import yaml

from tin_lib.__main__ import explain
from tin_lib.runner.workbook.parameters import Parameter, checked, parse_assignments
from tin_lib.runner.workbook.spec import load_workbook

CONVERTED: list[tuple[str, Any, Any]] = [
    ("int", 2.0, 2),
    ("int", np.int64(3), 3),
    ("int", np.float64(4.0), 4),
    ("int", np.float16(5.0), 5),
    ("int", pd.Series([7, 8])[1], 8),
    ("int", 1e3, 1000),
    ("float", 1, 1),
    ("float", np.float32(0.5), 0.5),
    ("float", np.int32(2), 2),
    ("float", 2.0, 2.0),
    ("bool", np.bool_(True), True),
    ("bool", False, False),
    ("str", np.str_("vgg16"), "vgg16"),
    ("int | float", 2.0, 2.0),
]
REFUSED: list[tuple[str, Any]] = [
    ("int", 2.5),
    ("int", "2"),
    ("int", True),
    ("int", float("nan")),
    ("int", float("inf")),
    ("int", np.float64("nan")),
    ("int", pd.NA),
    ("int", pd.NaT),
    ("int", [2]),
    ("int", None),
    ("float", "0.1"),
    ("float", float("nan")),
    ("float", float("-inf")),
    ("float", np.array([0.1])),
    ("float", False),
    ("bool", 1),
    ("bool", "yes"),
    ("bool", 0.0),
    ("str", 3),
    ("str", b"vgg16"),
    ("str", ["vgg16"]),
]
SCALARS = ["02_last", 2, {"a": 1}, [3], [["01_first"]], [None], True]


def given(hint: str, value: Any) -> Any:
    return checked("02_net", "epochs", value, {"epochs": Parameter("epochs", hint, 1)})


@pytest.mark.parametrize(("hint", "value", "expected"), CONVERTED, ids=repr)
def test_a_compatible_value_is_converted(
    hint: str, value: Any, expected: Any, fault: Callable
) -> None:
    with fault("parameter of a wrong type", f"{value!r} for {hint}"):
        found = given(hint, value)
        assert found == expected
        assert type(found) in (int, float, bool, str, np.str_)
        assert not isinstance(found, np.floating | np.integer | np.bool_)


@pytest.mark.parametrize(("hint", "value"), REFUSED, ids=repr)
def test_any_other_is_named_with_its_type(hint: str, value: Any, fault: Callable) -> None:
    with fault("parameter of a wrong type", f"{value!r} for {hint}"):
        with pytest.raises(ValueError, match=rf"02_net.epochs must be {hint}, not ") as caught:
            given(hint, value)
        assert str(caught.value).endswith(f"({type(value).__name__})") or "nan" in str(caught.value)


@pytest.mark.parametrize("key", ["needs", "inputs", "outputs", "optional"])
@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_a_workbook_with_a_scalar_for_a_list(
    key: str, value: Any, tmp_path: Path, fault: Callable
) -> None:
    workbook_toys.write_workbook(tmp_path, {"01_first": {}, "02_last": {}})
    file = tmp_path / "workbook.yaml"
    content = yaml.safe_load(file.read_text())
    (content if key == "optional" else content["steps"][1])[key] = value
    file.write_text(yaml.safe_dump(content))
    with fault("bad workbook file", f"{key}: {value!r}"):
        with pytest.raises(ValueError, match=rf"{key} must be a list of texts") as caught:
            load_workbook(tmp_path)
        assert str(file) in str(caught.value)


@pytest.mark.parametrize("item", ["02_last", 3, None, {}, {"name": 2}, ["x"]], ids=repr)
def test_a_step_that_is_no_mapping(item: Any, tmp_path: Path, fault: Callable) -> None:
    workbook_toys.write_workbook(tmp_path, {"01_first": {}})
    file = tmp_path / "workbook.yaml"
    content = yaml.safe_load(file.read_text())
    content["steps"].append(item)
    file.write_text(yaml.safe_dump(content))
    refused = pytest.raises(ValueError, match=r"must be a mapping with a name that is text")
    with fault("bad workbook file", f"step {item!r}"), refused:
        load_workbook(tmp_path)


def test_an_error_without_text_is_told_by_its_kind(fault: Callable) -> None:
    with fault("unexpected error", "an empty ValueError"):
        message, status = explain(ValueError())
        assert message.startswith("ValueError")
        assert status == 1


@pytest.mark.parametrize("key", ["extras", "profiles"])
@pytest.mark.parametrize("value", [3, "text", True, 1.5], ids=repr)
@pytest.mark.parametrize("base", [{}, {"extends": "study"}], ids=["own", "study"])
def test_a_workbook_with_a_scalar_for_extras_or_profiles(
    key: str, value: Any, base: dict[str, Any], tmp_path: Path, fault: Callable
) -> None:
    file = tmp_path / "workbook.yaml"
    file.write_text(yaml.safe_dump({"steps": [], key: value} | base))
    with fault("bad workbook file", f"{key}: {value!r} {base}"):
        with pytest.raises(ValueError, match=rf"{key} must be a (list|mapping)") as caught:
            load_workbook(file)
        assert str(file) in str(caught.value)


def test_texts_that_yaml_reads_as_something_else(fault: Callable) -> None:
    for text, value in (("2024-01-01", "2024-01-01"), ("12:30", "12:30"), ("yes", True)):
        with fault("parameter of a wrong type", text):
            assert parse_assignments([f"01.x={text}"]) == {"01.x": value}
    for text in ("[1", "a: b: c", "!!python/name:os.system", "", "*a"):
        with fault("parameter of a wrong type", text):
            with pytest.raises(ValueError, match=r"^-p 01\.x=.*: the value is") as caught:
                parse_assignments([f"01.x={text}"])
            assert "\n" not in str(caught.value)


def test_a_message_of_several_lines_is_printed_as_one(fault: Callable) -> None:
    with fault("unexpected error", "lines"):
        assert explain(ValueError("one\n  two\n\n")) == ("one; two", 2)
