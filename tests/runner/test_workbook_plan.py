"""workbook.yaml, parameters and records: what is refused, and what counts as a change."""

import json
from pathlib import Path

import pytest
import workbook_toys
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tin_lib.__main__ import build_parser
from tin_lib.runner.workbook import parameters, state
from tin_lib.runner.workbook.spec import load_workbook

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def toys(tmp_path):
    return workbook_toys.diamond(tmp_path / "notebooks")


def resolve(folder, profile="sample", **given):
    names = {name.replace("__", "."): value for name, value in given.items()}
    common = {"data": "sample", "run": "/r"}
    return parameters.resolve(load_workbook(folder), profile, names, common)


def test_the_projects_own_workbook_is_sound():
    content = yaml.safe_load((REPOSITORY / "notebooks" / "workbook.yaml").read_text())
    assert [step["name"][:2] for step in content["steps"][:10]] == [f"0{n}" for n in range(10)]
    assert set(content["profiles"]) == {"sample", "laptop", "paper", "modern"}
    workbook = load_workbook(REPOSITORY / "notebooks")
    for profile in workbook.profiles:
        parameters.resolve(workbook, profile, {}, {"data": "sample", "run": "/r"})


def test_the_study_with_a_fifth_network() -> None:
    workbook = load_workbook(REPOSITORY / "notebooks" / "five_networks.yaml")
    final = parameters.resolve(workbook, "laptop", {}, {})
    assert final["speednet"] | {"network": "speednet", "recipe": "hour"} == final["speednet"]
    assert final["02_convnet9"]["recipe"] == "laptop"
    assert len(workbook.groups()["networks"]) == 5


def test_steps_are_found_by_number_and_by_name(toys):
    workbook = load_workbook(toys)
    assert workbook.find("02") == workbook.find("2") == workbook.find("02_left") == "02_left"
    final = parameters.resolve(workbook, "sample", {"2.epochs": 1}, {})
    assert final["02_left"]["epochs"] == 1
    assert "epochs" not in final["01_first"]
    with pytest.raises(ValueError, match="did you mean 02_left"):
        workbook.find("02_lefd")
    with pytest.raises(ValueError, match="no notebook '20'"):
        workbook.find("20")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["steps"][1].update(needs=["01_frist"]), "did you mean 01_first"),
        (lambda c: c["steps"][0].update(needs=["04_last"]), "cycle"),
        (lambda c: c["steps"][0].update(neds=[]), "neds"),
        (lambda c: c["steps"].append({"name": "01_first"}), "same name"),
        (lambda c: c["steps"][0].update(profiles={"papr": {}}), "did you mean paper"),
        (lambda c: c.pop("steps"), "list of steps"),
    ],
)
def test_a_faulty_workbook_is_refused_with_its_path(toys, change, message):
    path = toys / "workbook.yaml"
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=message) as caught:
        load_workbook(toys)
    assert str(path) in str(caught.value)


def test_a_missing_notebook_or_workbook_is_named(toys):
    (toys / "02_left.ipynb").unlink()
    with pytest.raises(FileNotFoundError, match=r"02_left\.ipynb"):
        load_workbook(toys)
    with pytest.raises(FileNotFoundError, match="--workbook"):
        load_workbook(toys.parent)


def test_parameters_come_from_common_then_profile_then_the_user(toys):
    assert resolve(toys)["02_left"] == {"data": "sample", "run": "/r"}
    assert resolve(toys, "paper")["02_left"]["epochs"] == 30
    assert resolve(toys, "paper", **{"02__epochs": 4})["02_left"]["epochs"] == 4
    assert "epochs" not in resolve(toys, **{"02__epochs": 4})["03_right"]


def test_all_means_every_notebook_that_has_the_parameter(toys):
    workbook_toys.write_notebook(toys / "05_apart.ipynb", parameters='run: str = "x"')
    final = resolve(toys, all__epochs=1)
    assert [final[name].get("epochs") for name in final] == [1, 1, 1, 1, None]
    assert final["05_apart"] == {"run": "/r"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"02__epoch": 3}, "did you mean epochs"),
        ({"07__epochs": 3}, "no notebook '07'"),
        ({"all__epoch": 3}, "did you mean epochs"),
        ({"02__epochs": "many"}, "must be int, not 'many'"),
        ({"02__epochs": 1.5}, "must be int"),
        ({"02__epochs": True}, "must be int"),
        ({"02__data": "x"}, "use --data"),
    ],
)
def test_wrong_parameters_are_refused_with_help(toys, given, message):
    with pytest.raises(ValueError, match=message):
        resolve(toys, **given)


def test_a_parameter_that_is_none_by_default_can_be_none(toys):
    workbook_toys.write_notebook(toys / "02_left.ipynb", parameters="a: int = None\nb: int = 1")
    assert resolve(toys, **{"02__a": None})["02_left"] == {"a": None}
    assert resolve(toys, **{"02__a": 2})["02_left"] == {"a": 2}
    with pytest.raises(ValueError, match="must be int, not None"):
        resolve(toys, **{"02__b": None})


def test_starting_weights_are_found_from_where_the_command_is_given(toys, tmp_path, monkeypatch):
    cell = "weights: str = None"
    workbook_toys.write_notebook(toys / "02_left.ipynb", parameters=cell)
    monkeypatch.chdir(tmp_path)
    for asked, meant in (("w.pth", str(tmp_path / "w.pth")), ("imagenet", "imagenet")):
        final = parameters.resolve(load_workbook(toys), "sample", {"02.weights": asked}, {})
        assert final["02_left"]["weights"] == meant


def test_an_unknown_profile_is_refused_with_close_ones(toys):
    with pytest.raises(ValueError, match="did you mean paper"):
        resolve(toys, "papper")


def test_assignments_are_yaml_literals():
    given = ["02.epochs=3", "02_left.rate=0.1", "03.names=[a, b]", "04.text=a=b", "05.none=null"]
    given += ["06.lr=1e-3", "07.seed=010", "08.text=1:30", "09.rate=-2.5", "09.on=true"]
    assert parameters.parse_assignments(given) == {
        "02.epochs": 3,
        "02_left.rate": 0.1,
        "03.names": ["a", "b"],
        "04.text": "a=b",
        "05.none": None,
        "06.lr": 1e-3,
        "07.seed": 10,
        "08.text": "1:30",
        "09.rate": -2.5,
        "09.on": True,
    }
    for wrong in ("epochs=3", "02.epochs", "02.epochs=[1", "02.epochs=", "02.epochs= "):
        with pytest.raises(ValueError, match=r"-p .*"):
            parameters.parse_assignments([wrong])


def test_declared_reads_hints_that_papermill_misses(tmp_path):
    cell = 'a: int | None = None\nb = "x # y"\n# a comment\nc: list[str] = ["p"]\nd: float = -1.5'
    found = parameters.declared(workbook_toys.write_notebook(tmp_path / "n.ipynb", parameters=cell))
    assert {name: (p.type_hint, p.default) for name, p in found.items()} == {
        "a": ("int | None", None),
        "b": ("", "x # y"),
        "c": ("list[str]", ["p"]),
        "d": ("float", -1.5),
    }


@pytest.mark.parametrize("cell", ["a = 1 + b", "import os", "a: int", "a = "])
def test_a_parameters_cell_holds_literals_only(tmp_path, cell):
    path = workbook_toys.write_notebook(tmp_path / "n.ipynb", parameters=cell)
    with pytest.raises(ValueError, match=r"n\.ipynb.*literals"):
        parameters.declared(path)


HINTED = {
    "int": st.integers(),
    "float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    "str": st.text(),
    "bool": st.booleans(),
    "list[int]": st.lists(st.integers()),
    "int | None": st.integers() | st.none(),
}


@settings(deadline=None)
@given(st.data(), st.sampled_from(sorted(HINTED)))
def test_values_fit_their_own_hint_and_no_foreign_one(data, hint):
    value = data.draw(HINTED[hint])
    assert parameters.allowed(value, hint)
    assert parameters.allowed(value, "SomethingElse")
    assert not parameters.allowed(value, "dict")


def key(folder, run, parameters, fingerprint="f", name="02_left"):
    workbook = load_workbook(folder)
    return state.digest(state.parts(workbook, workbook.steps[name], parameters, fingerprint, run))


def test_the_key_changes_with_what_the_step_depends_on_only(toys, tmp_path):
    run = tmp_path / "run"
    state.write(run, "01_first", state.OK)
    first = key(toys, run, {"epochs": 1, "run": "/a", "data": "/b"})
    assert key(toys, run, {"epochs": 1, "run": "/c", "data": "/d"}) == first
    assert key(toys, run, {"epochs": 2}) != first
    assert key(toys, run, {"epochs": 1}, "g") != first
    state.write(run, "01_first", state.OK)
    assert key(toys, run, {"epochs": 1}) != first


def test_the_key_follows_the_content_of_starting_weights(toys, tmp_path):
    weights = tmp_path / "start.safetensors"
    gone = key(toys, tmp_path, {"weights": str(weights)})
    weights.write_bytes(b"one")
    first = key(toys, tmp_path, {"weights": str(weights)})
    assert key(toys, tmp_path, {"weights": str(weights)}) == first != gone
    weights.write_bytes(b"two")
    assert key(toys, tmp_path, {"weights": str(weights)}) != first


def test_the_key_follows_code_and_prose_but_not_outputs(toys, tmp_path):
    first = key(toys, tmp_path, {})
    path = toys / "02_left.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"][1]["execution_count"] = 7
    notebook["metadata"]["kernelspec"] = {"name": "other", "display_name": "Other"}
    path.write_text(json.dumps(notebook))
    assert key(toys, tmp_path, {}) == first
    notebook["cells"][0]["source"] = "# Another question"
    path.write_text(json.dumps(notebook))
    assert key(toys, tmp_path, {}) != first


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["a.json", "b/c.json", "d.txt"]), st.binary(), min_size=1))
def test_input_files_count_by_name_and_content(tmp_path_factory, contents):
    one, two = (tmp_path_factory.mktemp("run") for _ in range(2))
    for run in (one, two):
        for name, content in contents.items():
            (run / name).parent.mkdir(exist_ok=True)
            (run / name).write_bytes(content)
    assert state.files_digest(one, ["**/*.*"]) == state.files_digest(two, ["**/*.*"])
    (two / next(iter(contents))).write_bytes(b"something else, longer than drawn" * 9)
    assert state.files_digest(one, ["**/*.*"]) != state.files_digest(two, ["**/*.*"])


def test_a_damaged_record_counts_as_none(tmp_path):
    state.write(tmp_path, "01", state.OK)
    state.record_path(tmp_path, "01").write_text('{"status": "o')
    assert state.read(tmp_path, "01") == {}


def test_the_command_line_offers_what_a_run_needs():
    given = ["run", "--data", "d", "-p", "02.a=1", "-p", "03.b=2", "--only", "04", "--group", "g"]
    args = build_parser().parse_args(given)
    assert (args.parameter, args.only, args.jobs) == (["02.a=1", "03.b=2"], ["04"], 1)
    assert (args.run, args.group) == (None, ["g"])
