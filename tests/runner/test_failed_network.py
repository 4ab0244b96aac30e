"""One failed network: what needs the group of networks uses those that ended."""

from pathlib import Path
from typing import Any

import pytest
import workbook_toys

from tin_lib.runner.workbook import state
from tin_lib.runner.workbook.options import BLOCKED, FAILED, OK, SKIPPED

NETWORKS = {
    name: {"group": "networks", "outputs": [f"out/{name}.txt"]} for name in ("02_one", "03_two")
}


@pytest.fixture
def grouped(start: Any, stand: Any) -> Any:
    """02 and 03 form a group that 06 needs; 07 needs 03 by its name, too."""
    steps: dict[str, Any] = NETWORKS | {
        "06_all": {"needs": ["networks"], "inputs": ["out/0[23]*.txt"]},
        "07_strict": {"needs": ["networks", "03_two"]},
    }
    workbook_toys.write_workbook(start.notebooks, steps)
    return start


def test_one_failed_network_does_not_block_the_others_readers(
    grouped: Any, stand: Any, capsys: Any
) -> None:
    stand.failing["03_two"] = "an error"
    result = grouped()
    assert [outcome.status for outcome in result.outcomes] == [OK, FAILED, OK, BLOCKED]
    assert not result.ok
    assert "without 03_two, which failed" in capsys.readouterr().out
    assert state.read(grouped.run, "03_two")["missing"] == ["out/03_two.txt"]
    assert state.read(grouped.run, "07_strict")["error"] == "needs 03_two"


def test_the_readers_run_again_once_the_network_has_ended(grouped: Any, stand: Any) -> None:
    stand.failing["03_two"] = "an error"
    grouped()
    stand.took()
    stand.failing.clear()
    result = grouped()
    assert [outcome.status for outcome in result.outcomes] == [SKIPPED, OK, OK, OK]
    assert stand.took() == ["03_two", "06_all", "07_strict"]


def test_nothing_is_read_where_every_network_failed(grouped: Any, stand: Any) -> None:
    stand.failing |= dict.fromkeys(NETWORKS, "an error")
    result = grouped()
    assert [outcome.status for outcome in result.outcomes] == [FAILED, FAILED, BLOCKED, BLOCKED]
    assert state.read(grouped.run, "06_all")["error"] == "needs 02_one, 03_two"


def test_the_studys_last_notebooks_need_the_group(tmp_path: Path) -> None:
    from tin_lib.runner.workbook.spec import default_folder, load_workbook

    steps = load_workbook(default_folder()).steps
    for name in ("06_ensemble", "07_saliency", "08_filters", "09_class_errors"):
        assert (
            steps[name].grouped
            == steps[name].needs
            == ("02_convnet9", "03_vgg_like", "04_vgg16", "05_alexnet")
        )
