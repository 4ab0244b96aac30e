"""The graph of steps, with a stand-in for the process that runs a notebook."""

import hashlib
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
import workbook_toys

from tin_lib.files import only_one
from tin_lib.runner.jobs import executor, resources
from tin_lib.runner.jobs.executor import open_executor
from tin_lib.runner.study import run_workbook
from tin_lib.runner.workbook import graph, state, step
from tin_lib.runner.workbook.options import BLOCKED, FAILED, OK, SKIPPED, Options


def statuses(result):
    return [outcome.status for outcome in result.outcomes]


def test_steps_run_once_in_an_order_the_graph_allows(whole_report, start, stand, capsys):
    result = start()
    assert result.ok
    names = stand.took()
    assert names.index("01_first") < names.index("02_left") < names.index("04_last")
    assert names.index("03_right") < names.index("04_last")
    assert sorted(names) == [
        f"0{n}_{w}" for n, w in enumerate(("first", "left", "right", "last", "apart"), 1)
    ]
    assert "[4/5] 04_last   ok             1.5 s" in capsys.readouterr().out
    assert result.results.is_file()
    assert result.report.is_file()


def test_a_second_run_skips_everything_and_force_nothing(start, stand):
    start()
    stand.took()
    assert statuses(start()) == [SKIPPED] * 5
    assert stand.took() == []
    assert statuses(start(force=True)) == [OK] * 5


def test_a_record_holds_what_its_step_read_as_it_started(start, stand):
    workbook_toys.write_workbook(
        start.notebooks, {"01_first": {}, "02_reads": {"inputs": ["out/*"], "needs": ["01_first"]}}
    )
    start()
    first = start.run / "out" / "01_first.txt"
    found = hashlib.sha256(first.read_bytes()).hexdigest()
    assert state.read(start.run, "02_reads")["read"] == state.digest([("out/01_first.txt", found)])


def test_only_what_changed_and_what_needs_it_runs_again(start, stand):
    start()
    stand.took()
    workbook_toys.write_notebook(start.notebooks / "03_right.ipynb", "1 + 1")
    start()
    assert stand.took() == ["03_right", "04_last"]
    start(parameters={"02.epochs": 9})
    assert stand.took() == ["02_left", "04_last"]
    (start.run / "out" / "01_first.txt").unlink()
    start(parameters={"02.epochs": 9})
    assert set(stand.took()) == {"01_first", "02_left", "03_right", "04_last"}


def test_a_failing_step_stops_only_those_that_need_it(whole_report, start, stand, capsys):
    stand.failing["02_left"] = "cell In [3] (1/0): ZeroDivisionError: division by zero"
    result = start()
    assert statuses(result) == [OK, FAILED, OK, BLOCKED, OK]
    assert not result.ok
    out = capsys.readouterr().out
    assert "02_left: cell In [3] (1/0): ZeroDivisionError" in out
    assert str(start.run / "logs" / "02_left.log") in out
    assert "04_last   not run  needs 02_left" in " ".join(out.split(" "))
    page = result.report.read_text()
    assert "ZeroDivisionError" in page
    assert "needs 02_left" in page
    stand.took()
    stand.failing.clear()
    assert start().ok
    assert stand.took() == ["02_left", "04_last"]


def test_a_step_that_does_not_leave_what_it_should_has_failed(start, stand, monkeypatch):
    monkeypatch.setattr(graph, "run_step", lambda job: {"error": None, "seconds": 0.0})
    result = start(only=["01"])
    assert statuses(result) == [FAILED]
    assert "did not write out/01_first.txt" in result.outcomes[0].message


def test_a_started_step_without_an_end_runs_again(start, stand):
    start()
    stand.took()
    state.write(start.run, "05_apart", state.STARTED)
    start()
    assert stand.took() == ["05_apart"]


def test_a_moved_run_is_still_up_to_date(start, stand, tmp_path):
    start()
    moved = start.run.rename(tmp_path / "elsewhere")
    options = Options(workbook=start.notebooks, fingerprint=lambda data: "f" * 64)
    assert statuses(run_workbook("sample", moved, "sample", options)) == [SKIPPED] * 5


def test_only_runs_the_chosen_steps(start, stand):
    assert statuses(start(only=["05", "01_first"])) == [OK, OK]
    assert set(stand.took()) == {"01_first", "05_apart"}


def test_only_refuses_a_step_whose_inputs_are_not_there(tmp_path, stand):
    steps = {"01_a": {}, "02_b": {"needs": ["01_a"], "inputs": ["out/01_a.txt"]}}
    folder = workbook_toys.write_workbook(tmp_path / "n", steps)
    options = Options(workbook=folder, only=["02"], fingerprint=lambda data: "f")
    with pytest.raises(FileNotFoundError, match=r"02_b reads out/01_a\.txt.*run 01_a first"):
        run_workbook("sample", tmp_path / "run", "sample", options)
    assert stand.took() == []


@pytest.mark.parametrize(
    "wrong",
    [{"parameters": {"02.epoch": 1}}, {"only": ["09"]}, {"profile": "modrn"}, {"jobs": 0}],
)
def test_nothing_starts_when_something_is_wrong(start, stand, wrong):
    with pytest.raises(ValueError):
        start(**wrong)
    assert stand.took() == []
    assert not (start.run / "notebooks").exists()


def test_notebooks_get_absolute_paths(start, stand, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start(data="some/data")
    assert stand.jobs[0]["parameters"] == {
        "data": str(tmp_path / "some" / "data"),
        "run": str(start.run),
    }
    start(data="sample", force=True)
    assert stand.jobs[-1]["parameters"]["data"] == "sample"


def test_jobs_run_side_by_side_and_share_the_cores(start, monkeypatch):
    together = threading.Barrier(2, timeout=20)
    stand = workbook_toys.Stand()

    def pair(job):
        if job["name"] in ("02_left", "03_right"):
            together.wait()  # breaks unless both are at work at once
        return stand(job)

    monkeypatch.setattr(graph, "run_step", pair)
    monkeypatch.setattr(resources, "usable_cores", lambda: frozenset(range(8)))
    assert start(jobs=2).ok
    assert {job["threads"] for job in stand.jobs} == {4}


def test_ctrl_c_ends_running_steps_and_begins_no_other(start, monkeypatch, capsys):
    def slow(job):
        if Path(job["stop"]).exists():
            return {"error": executor.NOT_STARTED, "seconds": 0.0}
        started.set()
        for _ in range(200):
            time.sleep(0.05)
            if Path(job["stop"]).exists():
                return {"error": "stopped", "seconds": 0.0}
        pytest.fail("the step was not asked to stop")

    def interrupted(futures, **options):
        started.wait(10)
        if signals:
            raise signals.pop()
        return wait(futures, **options)

    started, wait, signals = threading.Event(), graph.wait, [KeyboardInterrupt()] * 2
    monkeypatch.setattr(graph, "run_step", slow)
    monkeypatch.setattr(graph, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start()
    assert state.read(start.run, "01_first")["status"] == state.STARTED
    assert state.read(start.run, "05_apart")["status"] == state.BLOCKED
    assert "run the same command again" in capsys.readouterr().out
    assert not list((start.run / "steps").glob("stop-*"))


def test_a_step_stopped_before_it_started_starts_nothing(tmp_path):
    (tmp_path / "stop").touch()
    assert step.run_step({"stop": str(tmp_path / "stop")}) == {
        "error": executor.NOT_STARTED,
        "seconds": 0.0,
    }


def test_one_run_folder_takes_one_run_at_a_time(start, stand):
    with (
        only_one(start.run / "steps" / ".run.lock", "the workbook"),
        pytest.raises(ValueError, match=r"is being run by process \d+"),
    ):
        start()
    assert start().ok  # the lock file that is left does not matter


def test_a_lost_worker_is_the_steps_failure():
    lost: Future = Future()
    lost.set_exception(OSError("gone"))
    assert executor.outcome_of(lost) == {
        "error": "its worker failed: OSError: gone",
        "seconds": 0.0,
    }


def test_a_cluster_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr("tin_lib.runner.jobs.executor.CONNECT", 0.5)
    with (
        pytest.raises(ValueError, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:9"),
        open_executor(cluster="tcp://127.0.0.1:9"),
    ):
        pass
