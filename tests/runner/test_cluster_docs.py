"""docs/CLUSTER.md and docs/cluster: scripts run from beginning to end, manifests checked.

``ssh``, ``srun``, ``scontrol`` and ``nvidia-smi`` are stand-ins that start everything here.
"""

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import workbook_toys
import yaml

from tin_lib import runs
from tin_lib.__main__ import build_parser

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CLUSTER = DOCS / "cluster"
# Writes which GPU it sees, and waits until another step has too.
SEES = """import os, time
from pathlib import Path
Path(run, f"saw-{name}-{os.environ.get('CUDA_VISIBLE_DEVICES', 'all')}").touch()
while len(list(Path(run).glob("saw-*"))) < 2:
    time.sleep(0.05)"""
STAND_INS = {
    "nvidia-smi": "echo 0; echo 1",
    "ssh": 'shift; cd /; exec bash -c "$*"',
    "srun": 'while [[ $1 == --* ]]; do shift; done; exec "$@"',
    "scontrol": "echo 127.0.0.1; echo other",
}
SLURM = {
    "SLURM_JOB_ID": str(os.getpid()),  # of which the scripts make a port
    "SLURM_JOB_NODELIST": "127.0.0.1,other",
    "SLURM_NNODES": "1",
    "SLURM_GPUS_ON_NODE": "2",
    "SLURM_CPUS_PER_TASK": "2",
}


@pytest.mark.parametrize("path", sorted([*CLUSTER.glob("*.sh"), *CLUSTER.glob("*.sbatch")]))
def test_scripts_are_bash(path: Path) -> None:
    subprocess.run(["bash", "-n", path], check=True)
    assert path.suffix == ".sbatch" or os.access(path, os.X_OK)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder like the repository's, with its own runs and this interpreter's ``.venv``."""
    pytest.importorskip("distributed")
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "docs").symlink_to(DOCS)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def run(here: Path, script: str, *given: str, stand_ins: dict[str, str], **environment: str) -> str:
    """The output of a script, which must succeed and leave no process and no file behind."""
    commands = here / "commands"
    commands.mkdir()
    for name, does in stand_ins.items():
        (commands / name).write_text(f"#!/bin/bash\n{does}\n")
        (commands / name).chmod(0o755)
    env = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"} | environment
    env["PATH"] = f"{commands}:{env['PATH']}"
    call = ["bash", f"docs/cluster/{script}", *given]
    done = subprocess.run(call, cwd=here, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until_gone(str(here))
    assert not list((here / "runs").glob("dask-*"))
    return done.stdout


def wait_until_gone(word: str, seconds: float = 60) -> None:
    """Return once no process has the word in its command."""
    end = time.monotonic() + seconds
    while left := [p for p in psutil.process_iter(["cmdline"]) if word in str(p.info["cmdline"])]:
        assert time.monotonic() < end, left
        time.sleep(0.2)


def steps(here: Path) -> list[str]:
    """A workbook of two steps that wait for each other, as options of ``tin run``."""
    notebooks = workbook_toys.write_workbook(here / "toys", {"01_one": {}, "02_two": {}})
    for name in ("01_one", "02_two"):
        workbook_toys.write_notebook(notebooks / f"{name}.ipynb", f'name = "{name}"\n{SEES}')
    return ["run", "--run", "runs/toys", "--workbook", str(notebooks)]


def seen(here: Path) -> set[str]:
    """The GPUs that the two steps saw."""
    return {path.name.split("-")[2] for path in (here / "runs" / "toys").glob("saw-*")}


@pytest.mark.slow
def test_the_slurm_script_runs_the_workbook_with_a_worker_for_each_gpu(here: Path) -> None:
    out = run(here, "dask.sbatch", *steps(here), stand_ins=STAND_INS, **SLURM)
    assert "02_two" in out
    assert seen(here) == {"0", "1"}


@pytest.mark.slow
def test_the_ssh_script_runs_the_workbook_on_machines_without_gpus(here: Path) -> None:
    without = STAND_INS | {"nvidia-smi": "exit 9"}
    run(here, "ssh.sh", *steps(here), stand_ins=without, HOSTS="node1 node2")
    assert seen(here) == {"all"}


@pytest.mark.slow
def test_the_torchrun_script_trains_in_as_many_processes_as_gpus(here: Path) -> None:
    small = "vgg_like --recipe quick --classes 2 --per-class 8 --set epochs=1 --device cpu"
    run(here, "torchrun.sbatch", *small.split(), "--out", "fit", stand_ins=STAND_INS, **SLURM)
    assert "1 threads" in runs.open_fit(here / "fit").summary["device"]


def manifests() -> dict[str, Any]:
    """The manifests by kind and name, e.g. ``Job tin-train``."""
    found = [m for path in CLUSTER.glob("*.yaml") for m in yaml.safe_load_all(path.read_text())]
    return {f"{m['kind']} {m['metadata']['name']}": m for m in found}


def pods() -> dict[str, Any]:
    """The pods that the manifests describe."""
    by_name = manifests()
    cluster = by_name["DaskCluster tin"]["spec"]
    jobs = {k: m["spec"]["template"]["spec"] for k, m in by_name.items() if m["kind"] == "Job"}
    alone = {k: m["spec"] for k, m in by_name.items() if m["kind"] == "Pod"}
    return jobs | alone | {part: cluster[part]["spec"] for part in ("worker", "scheduler")}


def container(pod: str) -> dict[str, Any]:
    """A pod's only container."""
    (one,) = pods()[pod]["containers"]
    return one


def test_pods_mount_the_volume_that_is_claimed() -> None:
    claim = manifests()["PersistentVolumeClaim tin"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for name, pod in pods().items():
        volumes = {v["name"]: v for v in pod.get("volumes", [])}
        mounts = {m["name"]: m["mountPath"] for m in container(name).get("volumeMounts", [])}
        assert mounts.keys() == volumes.keys()
        if name != "scheduler":
            assert mounts["shared"] == "/shared"
            assert volumes["shared"]["persistentVolumeClaim"]["claimName"] == "tin"
        assert container(name)["image"] == "REGISTRY/tin"


def test_the_pods_commands_are_understood() -> None:
    options = dask_options("worker")
    dask, verb, *args = container("worker")["args"]
    assert (dask, verb) == ("dask", "worker")
    assert {arg for arg in args if arg.startswith("--")} <= options
    for words in ("--nthreads 1", "--resources GPU=1", "--memory-limit 0"):
        assert words in " ".join(args)
    assert container("scheduler")["args"] == ["dask", "scheduler"]
    workbook = build_parser().parse_args(container("Job tin-workbook")["args"][1:])
    assert workbook.cluster == "tcp://tin-scheduler:8786"  # as the operator names the service
    build_parser().parse_args(container("Job tin-download")["args"][1:])
    train = container("Job tin-train")["args"]
    build_parser().parse_args(train[train.index("tin_lib") + 1 :])
    assert train[2:4] == ["--nproc-per-node", limits("Job tin-train")["nvidia.com/gpu"]]
    assert limits("worker")["nvidia.com/gpu"] == "1"


def limits(pod: str) -> dict[str, str]:
    """What a pod may take."""
    return container(pod)["resources"]["limits"]


def dask_options(command: str) -> set[str]:
    """The options of ``dask worker`` or ``dask scheduler``."""
    pytest.importorskip("distributed")
    from importlib import import_module

    main = import_module(f"distributed.cli.dask_{command}").main
    return {option for p in main.params for option in (*p.opts, *p.secondary_opts)}


def test_the_schedulers_service_finds_its_pod_and_ports() -> None:
    cluster = manifests()["DaskCluster tin"]
    service = cluster["spec"]["scheduler"]["service"]
    assert service["selector"] == {
        "dask.org/cluster-name": cluster["metadata"]["name"],
        "dask.org/component": "scheduler",
    }
    ports = {port["name"]: port["containerPort"] for port in container("scheduler")["ports"]}
    assert {p["targetPort"]: p["port"] for p in service["ports"]} == ports


def test_the_image_has_what_it_copies() -> None:
    text = (CLUSTER / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (.*)", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in line.split()[:-1])


def test_the_guide_names_files_and_commands_that_are_there() -> None:
    text = (DOCS / "CLUSTER.md").read_text()
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (DOCS / link).exists(), link
    for path in re.findall(r"(?:docs/cluster|tests)/[\w.-]+\w", text):
        assert (ROOT / path).exists(), path
    for name in CLUSTER.iterdir():
        assert name.name in text or name.name == "wait_for_workers.py"
    known = dask_options("worker") | dask_options("scheduler")
    for line in re.findall(r"\.venv/bin/(tin|dask) ([^\n#`]+)", text):
        words = shlex.split(line[1])
        if line[0] == "tin":
            build_parser().parse_args(words)
        else:
            assert {word for word in words if word.startswith("--")} <= known
