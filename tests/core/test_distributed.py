"""Two processes under torchrun give the losses of one with the same global batch."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from tin_lib import runs
from tin_lib.train.distributed import LostProcess, World, collective, lost_process_explained

# No dropout: each process would draw its own. vgg_like has no batchnorm, whose statistics are a
# process's own too. 25 images a batch: the two shares differ.
SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from tiny_data import make_tiny
from tin_lib.augment import AugmentSpec
from tin_lib.lab.process import end_process
from tin_lib.recipes import Recipe
from tin_lib.train import distributed, fit
recipe = Recipe("vgg_like", epochs={epochs}, lr=0.002, width=0.25, batch_size=25, momentum=0.9,
                network_options={{"dropout": 0.0}}, penalties="paper",
                augment=AugmentSpec(mode="paper_fresh"), precision="float32")
fit(recipe, make_tiny(), {out!r}, device="cpu")
distributed.leave()
end_process(0)
"""


def write(folder: Path, out: Path, epochs: int) -> Path:
    """The script that trains into ``out``."""
    script = folder / f"{out.name}_{epochs}.py"
    tests = str(Path(__file__).parents[1])
    script.write_text(SCRIPT.format(tests=tests, out=str(out), epochs=epochs))
    return script


def torchrun(script: Path) -> list[str]:
    """The launcher's command for two processes on this machine."""
    return [*LAUNCHER, str(script)]


LAUNCHER = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "TIN_BATCH": "1"}


def handler() -> object:
    return signal.getsignal(signal.SIGTERM)


def test_sigterm_is_handled_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    before, errors = handler(), (LostProcess("x"), ValueError("y"), KeyboardInterrupt())
    with lost_process_explained(Path("net")):
        assert handler() is not before
    assert handler() is before
    for error in errors:
        with pytest.raises(type(error)), lost_process_explained(Path("net")):
            raise error
        assert handler() is before


def test_torchruns_sigterm_says_how_to_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    message = "another process has failed.*ended by torchrun.*last checkpoint in net"
    with pytest.raises(LostProcess, match=message), lost_process_explained(Path("net")):
        signal.raise_signal(signal.SIGTERM)


def test_errors_of_a_collective_call_are_those_of_a_lost_process() -> None:
    """gloo's have no class of their own; elsewhere an error is what it is, whatever its text."""
    two = World(torch.device("cpu"), size=2)
    for error in (RuntimeError("Connection reset by peer"), dist.DistNetworkError("gone")):
        with pytest.raises(LostProcess, match=str(error)), collective(two):
            raise error
    with pytest.raises(torch.OutOfMemoryError), collective(two):
        raise torch.OutOfMemoryError("no memory")
    with pytest.raises(RuntimeError, match="shape"), collective(World(torch.device("cpu"))):
        raise RuntimeError("shape mismatch")
    with pytest.raises(RuntimeError, match="gloo"), lost_process_explained(Path("net")):
        raise RuntimeError("the backend gloo has no such operation")


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(tmp_path: Path) -> None:
    one = write(tmp_path, tmp_path / "one", 3)
    two = write(tmp_path, tmp_path / "two", 3)
    subprocess.run([sys.executable, one], check=True, env=ENVIRONMENT, capture_output=True)
    subprocess.run(torchrun(two), check=True, env=ENVIRONMENT, capture_output=True)
    alone = runs.open_fit(tmp_path / "one").history()
    together = runs.open_fit(tmp_path / "two").history()
    for column in ("train_loss", "penalty", "val_loss", "val_accuracy", "train_accuracy"):
        assert together[column].tolist() == pytest.approx(alone[column].tolist(), rel=2e-4)


def train(out: Path) -> list[str]:
    """README's command, for two processes of this machine."""
    small = ["--classes", "3", "--per-class", "24", "--set", "epochs=40", "--set", "width=0.1"]
    out_of = ["--recipe", "quick", "--out", str(out)]
    return [*LAUNCHER, "-m", "tin_lib", "train", "vgg_like", *out_of, *small]


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_killed_worker_ends_the_job_and_a_rerun_resumes(tmp_path: Path, rank: int) -> None:
    out = tmp_path / "net"
    job = subprocess.Popen(
        train(out), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    history = out / "history.jsonl"
    end = time.monotonic() + 90
    while not history.exists():
        assert time.monotonic() < end
        assert job.poll() is None, job.communicate()[0]
        time.sleep(0.02)
    os.kill(workers(job.pid)[rank], signal.SIGKILL)
    output, _ = job.communicate(timeout=120)
    assert job.returncode != 0
    assert "SIGKILL" in output
    assert f"process {1 - rank} of the job stops: another process has failed" in output
    assert f"Run the same command again to resume from the last checkpoint in {out}" in output
    done = len(runs.Fit(history.parent).history())
    assert 0 < done < 40
    again = subprocess.run(train(out), env=ENVIRONMENT, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert f"epoch {done + 1:>3}/40" in again.stdout
    assert f"epoch {done:>3}/40" not in again.stdout
    assert again.stdout.count('"val_accuracy"') == 1  # the summary, from one process
    assert len(runs.open_fit(out).history()) == 40


def workers(job: int) -> list[int]:
    """The two processes that train, by rank."""
    return sorted(children(job), key=rank_of)


def rank_of(pid: int) -> int:
    """The rank in a process's environment."""
    environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return int(next(line for line in environment if line.startswith("RANK=")).partition("=")[2])


@pytest.mark.slow
def test_machines_without_a_shared_folder_are_reported(tmp_path: Path) -> None:
    """Each process has its own folder, as on two machines without a shared file system."""
    script = write(tmp_path, tmp_path / "apart", 1)
    apart = script.read_text().replace(
        f"{str(tmp_path / 'apart')!r}", f"{str(tmp_path)!r} + '/of' + os.environ['RANK']"
    )
    script.write_text("import os\nimport tin_lib.train.distributed as d\nd.SHOW_UP = 1\n" + apart)
    job = subprocess.run(torchrun(script), env=ENVIRONMENT, capture_output=True, text=True)
    assert job.returncode != 0
    assert "a file system that all share, under the same path" in job.stderr


def children(pid: int) -> list[int]:
    """Process ids whose parent is ``pid``."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return sorted(found)
