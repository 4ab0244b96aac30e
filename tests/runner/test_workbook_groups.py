"""Steps that share a notebook, form groups, set parameters; a user's own workbook and networks."""

import os
import sys

import pytest
import workbook_toys
import yaml

from tin_lib.runner.study import run_workbook
from tin_lib.runner.workbook import own_networks, parameters, state
from tin_lib.runner.workbook.options import OK, Options
from tin_lib.runner.workbook.spec import load_workbook

CELL = 'run: str = "r"\nnetwork: str = "vgg16"\nlr: float = None\nweights: str = None'
# Writes its parameters and the networks it can load to a file named by the network.
TRAIN = """import os, re
from pathlib import Path
folder = Path(run, "networks", re.sub(r"[^\\w.-]+", "_", network.rpartition("/")[2]))
folder.mkdir(parents=True)
import importlib
if network.startswith("my_module:"):
    importlib.import_module("my_module")
(folder / "summary.txt").write_text(f"{network} {lr} {os.environ.get('TIN_NETWORKS', '')}")"""
STEPS = [
    {
        "name": "02_own",
        "notebook": "network",
        "group": "networks",
        "parameters": {"network": "my_module:build"},
        "outputs": ["networks/{network}/summary.txt"],
    },
    {
        "name": "03_file",
        "notebook": "network",
        "group": "networks",
        "parameters": {"network": "nets/other.py:make"},
        "outputs": ["networks/{network}/summary.txt"],
    },
    {"name": "01_first"},
    {"name": "06_all", "needs": ["networks"], "inputs": ["networks/*/summary.txt"]},
]


@pytest.fixture
def own(tmp_path):
    """A user's folder: workbook.yaml, a notebook that two steps share, and two networks."""
    folder = workbook_toys.write_workbook(tmp_path / "own", {"01_first": {}, "06_all": {}})
    workbook_toys.write_notebook(folder / "network.ipynb", TRAIN, parameters=CELL)
    (folder / "my_module.py").write_text("def build(num_classes, width=1.0): ...\n")
    (folder / "nets").mkdir()
    (folder / "nets" / "other.py").write_text("def make(num_classes, width=1.0): ...\n")
    return write(folder, steps=STEPS)


def write(folder, **changes):
    path = folder / "workbook.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
    return folder


def options(folder, **given):
    return Options(workbook=folder, fingerprint=lambda data: "f", **given)


def final(folder, **given):
    return parameters.resolve(load_workbook(folder), "sample", given, {"run": "/r"})


def test_a_group_among_the_needs_means_its_steps(own):
    workbook = load_workbook(own / "workbook.yaml")
    assert workbook.steps["06_all"].needs == ("02_own", "03_file")
    assert workbook.groups() == {"networks": ["02_own", "03_file"]}
    assert workbook.notebook("02_own") == workbook.notebook("03_file") == own / "network.ipynb"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": [{"name": "06_all", "needs": ["network"]}]}, "needs 'network'"),
        ({"steps": [*STEPS, {"name": "networks", "notebook": "01_first"}]}, "of a step and of a g"),
        ({"steps": [*STEPS[1:], STEPS[0] | {"needs": ["06_all"]}]}, "cycle"),
        ({"extends": "stdy"}, "extends: must be study"),
        ({"optional": ["network"]}, "optional: no group 'network'; did you mean networks"),
    ],
)
def test_wrong_groups_are_refused(own, change, message):
    with pytest.raises(ValueError, match=message):
        load_workbook(write(own, **change))


def test_an_optional_group_runs_only_when_asked_for(own, tmp_path, capsys):
    content = {"06_all": {}, "10_extra": {"group": "extras"}, "11_more": {"group": "extras"}}
    folder = workbook_toys.write_workbook(tmp_path / "parts", content, optional=["extras"])
    run = tmp_path / "run"
    ran = lambda **given: [
        outcome.name
        for outcome in run_workbook("sample", run, options=options(folder, **given)).outcomes
    ]
    index = run / "report" / "index.html"
    assert ran() == ["06_all"]
    assert "10_extra" not in index.read_text()
    assert ran(only=["11"]) == ["11_more"]
    assert "11_more.html" in index.read_text()
    assert "not run yet" in index.read_text()  # 10_extra, of the group that has begun
    assert ran(groups=["extras"]) == ["10_extra", "11_more"]
    other = tmp_path / "other"
    run_workbook("sample", other, options=options(folder, groups=["extras"]))
    assert "06_all" not in (other / "report" / "index.html").read_text()


def test_notebooks_of_the_repository_need_no_copy(tmp_path):
    (tmp_path / "workbook.yaml").write_text("steps: [{name: 06_ensemble}, {name: absent}]")
    with pytest.raises(FileNotFoundError, match=r"absent\.ipynb"):
        load_workbook(tmp_path)
    (tmp_path / "mine.yaml").write_text("steps: [{name: again, notebook: 06_ensemble}]")
    assert load_workbook(tmp_path / "mine.yaml").notebook("again").is_file()


def test_a_users_file_adds_a_step_to_the_study(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "extends: study\nsteps: [{name: 20_own, notebook: 02_convnet9, group: networks}]"
    )
    workbook = load_workbook(tmp_path / "mine.yaml")
    assert "20_own" in workbook.steps["06_ensemble"].needs
    assert len(workbook.steps) == 18
    assert workbook.folder == tmp_path
    assert "paper" in workbook.profiles


def test_a_steps_parameters_yield_to_profiles_and_to_those_given(own):
    steps = [STEPS[0] | {"profiles": {"paper": {"network": "vgg_like"}}}, *STEPS[1:]]
    workbook = load_workbook(write(own, steps=steps))
    resolved = lambda profile, **given: parameters.resolve(workbook, profile, given, {})
    assert resolved("sample")["02_own"]["network"] == "my_module:build"
    assert resolved("paper")["02_own"]["network"] == "vgg_like"
    assert resolved("paper", **{"02.network": "alexnet"})["02_own"]["network"] == "alexnet"
    write(own, steps=[STEPS[0] | {"parameters": {"netwrk": "x"}}])
    with pytest.raises(ValueError, match="02_own has no parameter 'netwrk'; did you mean network"):
        final(own)


def test_numbers_in_a_workbook_are_numbers(own):
    text = (own / "workbook.yaml").read_text().replace("network: my_module:build", "lr: 1e-3")
    (own / "workbook.yaml").write_text(text)
    assert final(own)["02_own"]["lr"] == 1e-3


def test_outputs_follow_the_parameters(own):
    workbook = load_workbook(own)
    filled = parameters.fill_outputs(workbook, final(own, **{"03.network": "torchvision:x"}))
    assert filled.steps["02_own"].outputs == ("networks/my_module_build/summary.txt",)
    assert filled.steps["03_file"].outputs == ("networks/torchvision_x/summary.txt",)
    wrong = load_workbook(write(own, steps=[STEPS[0] | {"outputs": ["{netwrk}"]}]))
    with pytest.raises(ValueError, match="outputs: no parameter 'netwrk'; did you mean network"):
        parameters.fill_outputs(wrong, final(own))


def test_files_are_found_beside_the_workbook_or_from_the_current_folder(own, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (own / "w.pth").touch()
    found = final(own, **{"02.network": "here.py:build", "02.weights": "w.pth"})
    assert found["03_file"]["network"] == f"{own / 'nets' / 'other.py'}:make"
    assert found["02_own"]["network"] == f"{tmp_path / 'here.py'}:build"
    assert found["02_own"]["weights"] == str(own / "w.pth")


def test_own_networks_and_nothing_else_are_passed_on(own, monkeypatch):
    monkeypatch.delenv("TIN_NETWORKS", raising=False)
    library = ["vgg16", None, "torchvision:resnet18", "timm:vit"]
    assert own_networks.environment(library, own) == {}
    monkeypatch.setenv("TIN_NETWORKS", "other:build")
    found = own_networks.environment([*library, "my_module:build", "/a/b.py:make"], own)
    assert found["TIN_NETWORKS"] == "other:build,my_module:build,/a/b.py:make"
    assert found["PYTHONPATH"].split(os.pathsep)[0] == str(own)


def test_a_changed_source_of_an_own_network_makes_its_step_run_again(own, tmp_path):
    def key(name):
        workbook = load_workbook(own)
        return state.digest(
            state.parts(workbook, workbook.steps[name], final(own)[name], "f", tmp_path)
        )

    before = {name: key(name) for name in ("02_own", "03_file", "01_first")}
    (own / "my_module.py").write_text("changed = True\n")
    assert key("02_own") != before["02_own"]
    (own / "nets" / "other.py").write_text("changed = True\n")
    assert key("03_file") != before["03_file"]
    assert key("01_first") == before["01_first"]


@pytest.mark.slow
def test_own_networks_join_a_run_without_an_edit_of_the_repository(own, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIN_NETWORKS", raising=False)
    run = tmp_path / "run"
    result = run_workbook(
        "sample", run, "sample", options(own / "workbook.yaml", groups=["networks"])
    )
    assert [(o.name, o.status) for o in result.outcomes] == [("02_own", OK), ("03_file", OK)]
    known = f"my_module:build,{own / 'nets' / 'other.py'}:make"
    written = (run / "networks" / "my_module_build" / "summary.txt").read_text()
    assert written == f"my_module:build None {known}"
    assert (run / "networks" / "other.py_make" / "summary.txt").is_file()
    assert "my_module" not in sys.modules
    assert run_workbook("sample", run, "sample", options(own)).ok
    page = (run / "report" / "index.html").read_text()
    assert "network=my_module:build" in page


def test_a_group_brings_what_it_needs(own):
    steps = [*STEPS, {"name": "07_more", "notebook": "01_first", "group": "g", "needs": ["06_all"]}]
    workbook = load_workbook(write(own, steps=steps))
    assert workbook.group("g") == {"02_own", "03_file", "06_all", "07_more"}
    with pytest.raises(ValueError, match="no group 'network' in the workbook; did you mean netw"):
        workbook.group("network")
