"""Several processes started by ``launcher.fit``, as notebooks do."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tin_lib import train
from tin_lib.data import TinyImageNet, open_data
from tin_lib.lab import launcher
from tin_lib.lab.launcher import fit
from tin_lib.recipes import Recipe
from tin_lib.train import Interrupted
from tin_lib.train.distributed import LOST

# No dropout, of which each process would draw its own.
RECIPE = Recipe(
    "vgg_like",
    epochs=2,
    lr=0.002,
    width=0.1,
    batch_size=10,
    momentum=0.9,
    network_options={"dropout": 0.0},
    precision="float32",
)


@pytest.fixture(scope="module")
def sample() -> TinyImageNet:
    return open_data("sample", classes=3, per_class=12, holdout=0.2)


@pytest.mark.slow
def test_two_processes_started_by_fit(sample: TinyImageNet, tmp_path: Path, capsys: Any) -> None:
    together = fit(RECIPE, sample, tmp_path / "two", device="cpu", processes=2)
    assert "epoch   2/2" in capsys.readouterr().out
    alone = fit(RECIPE, sample, tmp_path / "one", device="cpu", progress=None)
    for column in ("train_loss", "heldout_loss", "val_loss"):
        found, expected = together.history()[column], alone.history()[column]
        assert found.tolist() == pytest.approx(expected.tolist(), rel=2e-4)
    again = fit(RECIPE, sample, tmp_path / "two", device="cpu", processes=2)  # finished: not run
    assert again.summary == together.summary
    assert "epoch" not in capsys.readouterr().out


@pytest.mark.slow
def test_processes_evaluate_with_the_same_batchnorm_statistics(
    sample: TinyImageNet, tmp_path: Path
) -> None:
    """Those of the process that writes the predictions."""
    recipe = RECIPE.replace(network="resnet18", epochs=1, network_options={}, ema=0.5)
    done = fit(recipe, sample, tmp_path / "net", device="cpu", processes=2, progress=None)
    logits, labels = (
        torch.from_numpy(done.logits("val").copy()),
        torch.from_numpy(sample.val.labels),
    )
    loss = torch.nn.functional.cross_entropy(logits, labels).item()
    assert done.history().val_loss.item() == pytest.approx(loss, rel=1e-5)


@pytest.mark.slow
def test_failures_are_reported(sample: TinyImageNet, tmp_path: Path) -> None:
    lost = RECIPE.replace(lr=1e5)
    with pytest.raises(ChildProcessError, match=r"Their output:\nepoch 1: the loss is"):
        fit(lost, sample, tmp_path / "net", device="cpu", processes=2, progress=None)


@pytest.mark.slow
def test_an_interrupt_ends_all_processes(
    sample: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = []

    def interrupted(job: Any, quiet: bool) -> str:
        assert any("epoch" in line for line in job.stdout)
        jobs.append(job)
        raise KeyboardInterrupt

    monkeypatch.setattr(launcher, "follow", interrupted)
    long, folder = RECIPE.replace(epochs=500), tmp_path / "net"
    with pytest.raises(Interrupted, match="run the command again to"):
        fit(long, sample, folder, device="cpu", processes=2)
    assert jobs[0].poll() is not None
    monkeypatch.undo()
    short = RECIPE.replace(epochs=1)  # the folder's lock is free: nobody trains there any more
    assert len(fit(short, sample, folder, device="cpu", progress=None).history()) == 1


def test_processes_share_the_threads_of_their_job(
    sample: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, str] = {}

    def start(launcher: list[str], request: Any, environment: dict[str, str], output: int) -> None:
        found.update(environment)
        raise OSError("not started")

    monkeypatch.setenv("MKL_NUM_THREADS", "1")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(launcher, "usable_cores", lambda: range(8))
    monkeypatch.setattr(launcher, "start_child", start)
    with pytest.raises(OSError, match="not started"):
        fit(RECIPE, sample, tmp_path / "net", device="cpu", processes=3)
    assert (found["OMP_NUM_THREADS"], found["MKL_NUM_THREADS"]) == ("2", "2")


def test_what_cannot_be_launched_is_named(
    tiny: TinyImageNet, sample: TinyImageNet, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="processes=2: other processes need data from open_data"):
        fit(RECIPE, tiny, tmp_path / "net", device="cpu", processes=2)
    for count in (0, 10_000, "1"):
        with pytest.raises(ValueError, match=f"processes={count!r}: must be from 1 to"):
            fit(RECIPE, sample, tmp_path / "net", device="cpu", processes=count)


def test_values_that_do_not_fit_together_are_named_before_anything_starts(
    sample: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "start_child", lambda *_: pytest.fail("started"))
    whole = open_data("sample", classes=3, per_class=12)
    with pytest.raises(ValueError, match="held-out part of train"):
        fit(RECIPE.replace(patience=1), whole, tmp_path / "net", device="cpu", processes=2)
    with pytest.raises(ValueError, match="device='tpu' is not supported"):
        fit(RECIPE, sample, tmp_path / "net", device="tpu", processes=2)
    assert not (tmp_path / "net").exists()


def test_a_finished_fit_is_returned_whatever_the_number_of_processes(
    tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = RECIPE.replace(epochs=1)
    done = fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)  # one: no launcher
    monkeypatch.setattr(launcher, "start_child", lambda *_: pytest.fail("started"))
    for count in (2, 10_000):
        again = fit(recipe, tiny, tmp_path / "net", device="cpu", processes=count)
        assert again.digest == done.digest


def test_under_torchrun_this_process_trains(
    sample: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(train, "fit", lambda *values, **named: found.append((*values, named)))
    fit(RECIPE, sample, tmp_path / "net", device="cpu", progress=None, processes=2)
    assert found == [(RECIPE, sample, tmp_path / "net", {"device": "cpu", "progress": None})]


def test_a_process_reports_its_error_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    request = {
        "recipe": RECIPE.to_dict(),
        "data": {"data": "sample", "classes": 3, "per_class": 12},
        "out": str(tmp_path / "net"),
        "device": "cpu",
    }
    monkeypatch.setattr(launcher, "end_with_parent", lambda: None)  # it would watch pytest's input

    def failing(error: Exception) -> Any:
        def fail(*_: Any, **__: Any) -> None:
            raise error

        monkeypatch.setattr(train, "fit", fail)
        assert launcher.main(request) == 1
        return capsys.readouterr()

    expected = failing(ValueError("two\nlines"))
    assert (expected.out, expected.err) == ("tin: two lines\n", "")
    unexpected = failing(KeyError())
    assert unexpected.out == "tin: KeyError\n"
    assert "Traceback" in unexpected.err


class Job:
    """A job that has printed these lines."""

    def __init__(self, *lines: str) -> None:
        self.stdout = [f"{line}\n" for line in lines]

    def wait(self) -> int:
        return 1


@pytest.mark.parametrize("quiet", [False, True])
def test_the_first_cause_is_reported(quiet: bool, capsys: Any) -> None:
    noticed = f"tin: process 0 of the job stops: {LOST}"
    job: Any = Job("epoch 1/2", noticed, "tin: no memory", "torchrun's report")
    assert launcher.follow(job, quiet) == "no memory\n"
    assert capsys.readouterr().out == ("" if quiet else "epoch 1/2\n")
    killed: Any = Job("epoch 1/2", noticed, "torchrun's report")  # nobody knows a cause
    assert launcher.follow(killed, quiet) == noticed.removeprefix("tin: ") + "\n"
    silent: Any = Job("Killed", "torchrun's report")
    assert launcher.follow(silent, quiet) == "Killed\ntorchrun's report\n"
