"""Toy workbooks with real kernels: on this machine, interrupted, and on a dask cluster."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pandas as pd
import psutil
import pytest
import workbook_toys

from tin_lib import runs
from tin_lib.__main__ import main
from tin_lib.runner.study import run_workbook
from tin_lib.runner.workbook import state, step
from tin_lib.runner.workbook.options import BLOCKED, FAILED, OK, Options

# What a kernel sees, for the test to look at.
LOOK = """import json, os, sys
from pathlib import Path
from tin_lib.progress import batch_run
seen = {"python": sys.executable, "renderer": os.environ["PLOTLY_RENDERER"],
        "batch": batch_run(), "epochs": epochs, "run": run, "data": data,
        "gpu": os.environ["CUDA_VISIBLE_DEVICES"]}
Path(run, "seen.json").write_text(json.dumps(seen))
print("epoch 1 of", epochs)"""
# Writes the kernel's process id, then runs for a long time.
LONG = """import os, time
from pathlib import Path
Path(run, "pid").write_text(str(os.getpid()))
time.sleep(600)"""
# Writes which worker's environment it has, and waits until another step has too.
WHERE = """import os, time
from pathlib import Path
Path(run, f"worker-{os.environ['TOY_WORKER']}").touch()
while len(list(Path(run).glob("worker-*"))) < 2:
    time.sleep(0.05)"""
# Says how many threads PyTorch takes, and what the kernel's environment has of a worker's nanny.
TAKES = """import json, os, torch
from pathlib import Path
seen = [torch.get_num_threads(), "MALLOC_TRIM_THRESHOLD_" in os.environ]
Path(run, "takes.json").write_text(json.dumps(seen))"""
COMMAND = """import sys
from pathlib import Path
from tin_lib.runner.workbook.options import Options
from tin_lib.runner.study import run_workbook
cluster = sys.argv[3] if len(sys.argv) > 3 else None
options = Options(workbook=Path(sys.argv[1]), cluster=cluster, fingerprint=lambda data: "f")
run_workbook("sample", sys.argv[2], "sample", options)"""


def options(folder, **given):
    return Options(workbook=folder, fingerprint=lambda data: "f", **given)


@pytest.mark.slow
def test_kernels_get_what_they_need_and_failures_keep_what_was_written(tmp_path, monkeypatch):
    steps = {"01_look": {}, "02_wrong": {}, "03_dies": {}, "04_after": {"needs": ["02_wrong"]}}
    folder = workbook_toys.write_workbook(tmp_path / "notebooks", steps)
    look = workbook_toys.write_notebook(folder / "01_look.ipynb", LOOK)
    foreign = nbformat.read(look, as_version=4)
    foreign.metadata["kernelspec"] = {"name": "no-such-kernel", "display_name": "None"}
    nbformat.write(foreign, look)
    workbook_toys.write_notebook(folder / "02_wrong.ipynb", "print('before')", "# why\n1 / 0", "2")
    workbook_toys.write_notebook(folder / "03_dies.ipynb", "import os\nos._exit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    given = options(folder, jobs=3, parameters={"01.epochs": 7})
    result = run_workbook("sample", "some/{run=1}", "sample", given)

    run = tmp_path / "some" / "{run=1}"  # braces: papermill reads paths as templates
    assert [o.status for o in result.outcomes] == [OK, FAILED, FAILED, BLOCKED]
    seen = json.loads((run / "seen.json").read_text())
    assert seen.pop("gpu") in ("0", "1", "2")
    assert seen == {
        "python": sys.executable,
        "renderer": "plotly_mimetype",
        "batch": True,
        "epochs": 7,
        "run": str(run),
        "data": "sample",
    }
    assert "epoch 1 of 7" in (run / "logs" / "01_look.log").read_text()
    wrong, dies = result.outcomes[1].message, result.outcomes[2].message
    assert "02_wrong: cell In [4] (# why): ZeroDivisionError: division by zero" in wrong
    assert "03_dies: cell In [3] (import os): DeadKernelError" in dies
    kept = nbformat.read(run / "notebooks" / "02_wrong.ipynb", as_version=4)
    assert any(o.get("text") == "before\n" for c in kept.cells for o in c.get("outputs", []))
    record = state.read(run, "01_look")
    assert record["versions"]["python"].startswith("3.")
    assert "CPU cores" in record["machine"]


@pytest.mark.parametrize(("failures", "error"), [(2, None), (3, "Kernel died before replying")])
def test_a_kernel_that_lost_its_port_is_started_again(tmp_path, monkeypatch, failures, error):
    calls = []

    def execute(*paths, **options):
        calls.append(options["kernel_name"])
        if len(calls) <= failures:
            raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr("papermill.execute_notebook", execute)
    job = {"name": "01_first", "run": str(tmp_path), "notebook": "a.ipynb", "parameters": {}}
    outcome = step.execute(job | {"output": str(tmp_path / "out.ipynb")})
    assert len(calls) == 3
    assert (outcome is None) if error is None else error in outcome


def test_a_kernel_that_dies_in_a_cell_is_not_started_again(tmp_path, monkeypatch):
    calls = []

    def execute(*paths, **options):
        calls.append(1)
        raise RuntimeError("Kernel died")

    monkeypatch.setattr("papermill.execute_notebook", execute)
    job = {"name": "01_first", "run": str(tmp_path), "notebook": "a.ipynb", "parameters": {}}
    assert "Kernel died" in step.execute(job | {"output": str(tmp_path / "out.ipynb")})
    assert len(calls) == 1


def stop_a_long_step(folder: Path, number: int, *cluster: str) -> tuple[int, str]:
    """Start a long step, send its run a signal, see its kernel end; exit status and output."""
    notebooks = workbook_toys.write_workbook(folder / "notebooks", {"01_long": {}})
    workbook_toys.write_notebook(notebooks / "01_long.ipynb", LONG)
    run = folder / "run"
    command = [sys.executable, "-c", COMMAND, str(notebooks), str(run), *cluster]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        kernel = psutil.Process(int(wait_for_text(run / "pid")))
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    kernel.wait(timeout=20)  # raises when it is still there
    assert state.read(run, "01_long")["status"] == state.STARTED
    return process.returncode, out


def wait_for_text(path: Path, seconds: float = 60) -> str:
    """The file's text once it has some."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if path.is_file() and path.read_text():
            return path.read_text()
        time.sleep(0.05)
    raise TimeoutError(f"{path} was not written")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Address of a dask scheduler on 127.0.0.1 with two workers of one thread each."""
    with dask_cluster(tmp_path_factory.mktemp("cluster"), "ab") as address:
        yield address


@contextlib.contextmanager
def dask_cluster(folder: Path, names: str) -> Iterator[str]:
    """Address of a dask scheduler on 127.0.0.1 with a worker of one thread for each letter."""
    pytest.importorskip("distributed")
    dask, about = [sys.executable, "-m", "dask"], folder / "scheduler.json"
    here = ["--host", "127.0.0.1", "--no-dashboard"]
    commands = [[*dask, "scheduler", *here, "--port", "0", "--scheduler-file", str(about)]]
    worker = [*dask, "worker", *here, "--nthreads", "1", "--scheduler-file", str(about)]
    commands += [[*worker, "--local-directory", str(folder / name)] for name in names]
    processes = [
        subprocess.Popen(c, env=os.environ | {"TOY_WORKER": name}, stderr=subprocess.DEVNULL)
        for c, name in zip(commands, ("scheduler", *names), strict=True)
    ]
    try:
        address = json.loads(wait_for_text(about))["address"]
        wait_for_workers(address, len(names))
        yield address
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(30)


def wait_for_workers(address: str, count: int) -> None:
    """Return once the scheduler has so many workers."""
    from distributed import Client

    with Client(address, timeout=30) as client:
        client.wait_for_workers(count, timeout=60)


@pytest.mark.slow
def test_steps_run_on_the_workers_of_a_cluster(tmp_path, cluster):
    steps = {"01_one": {}, "02_two": {}, "03_wrong": {"needs": ["01_one", "02_two"]}}
    folder = workbook_toys.write_workbook(tmp_path / "notebooks", steps)
    workbook_toys.write_notebook(folder / "01_one.ipynb", WHERE)
    workbook_toys.write_notebook(folder / "02_two.ipynb", WHERE)
    workbook_toys.write_notebook(folder / "03_wrong.ipynb", "1 / 0")
    run = tmp_path / "run"
    result = run_workbook("sample", run, "sample", options(folder, cluster=cluster))
    assert [o.status for o in result.outcomes] == [OK, OK, FAILED]
    assert {path.name for path in run.glob("worker-*")} == {"worker-a", "worker-b"}
    assert "ZeroDivisionError" in result.report.read_text()


@pytest.mark.slow
def test_ctrl_c_ends_the_steps_on_a_cluster(tmp_path, cluster):
    code, out = stop_a_long_step(tmp_path, signal.SIGINT, cluster)
    assert code != 0
    assert "run the same command again" in out


@pytest.mark.slow
def test_a_sweep_runs_on_a_cluster(tmp_path, cluster, capsys):
    given = ["--recipe", "quick", "--classes", "2", "--per-class", "8", "--set", "epochs=1"]
    out = ["--out", str(tmp_path), "--grid", "seed=0,1", "--cluster", cluster]
    assert main(["sweep", "vgg_like", *given, *out]) == 0
    assert {line.split()[1] for line in capsys.readouterr().out.splitlines()[:2]} == {
        "seed=0:",
        "seed=1:",
    }
    table = pd.read_csv(tmp_path / "sweep.csv")
    assert len(table) == 2
    for fit in table.fit:
        assert f"{cores_of(2)} threads" in runs.open_fit(tmp_path / fit).summary["device"]


def cores_of(workers: int) -> int:
    """The cores of this machine for each of so many workers."""
    from dask.system import CPU_COUNT

    return max(1, CPU_COUNT // workers)


@pytest.mark.slow
def test_a_step_takes_its_share_of_the_workers_cores(tmp_path, cluster):
    assert takes(tmp_path / "shared", cluster=cluster) == [cores_of(2), False]
    assert takes(tmp_path / "asked", cluster=cluster, threads=cores_of(1)) == [cores_of(1), False]
    with dask_cluster(tmp_path, "a") as alone:
        assert takes(tmp_path / "alone", cluster=alone) == [cores_of(1), False]


def takes(folder: Path, **given: object) -> list:
    """What a step of a run with these options says that it takes."""
    notebooks = workbook_toys.write_workbook(folder / "notebooks", {"01_takes": {}})
    workbook_toys.write_notebook(notebooks / "01_takes.ipynb", TAKES)
    assert run_workbook("sample", folder / "run", "sample", options(notebooks, **given)).ok
    return json.loads((folder / "run" / "takes.json").read_text())
