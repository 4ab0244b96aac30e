"""`tin reproduce`: the same bytes on the same CPU, what differs elsewhere, interruptions."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from small_run import make_run

from tin_lib import files, networks, train
from tin_lib.__main__ import main
from tin_lib.data import open_data
from tin_lib.recipes import Recipe
from tin_lib.runner.verification import votes
from tin_lib.runner.verification.checks import Check
from tin_lib.runner.verification.reproduction import reproduce
from tin_lib.train import checkpoint

KIND = "tampered result"
# Compared with the original byte by byte: not what has times or a command line in it.
SAME = ("weights.safetensors", "predictions_*.csv", "logits_*.npy", "recipe.json")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two networks and their votes."""
    run = make_run(tmp_path_factory.mktemp("made") / "run")
    for name, make in votes.makers(run, list(run.fits), "vgg_like").items():
        votes.write(run.path / "ensemble" / name, make())
    files.write_json(run.path / votes.MARK, {"of": "nothing", "fallback": "vgg_like"})
    return run.path


def same_bytes(one: Path, other: Path) -> None:
    """Both folders have the same files of SAME, and at least one of each kind."""
    for pattern in SAME:
        found = sorted(path.relative_to(one) for path in one.rglob(pattern))
        assert found, pattern
        for name in found:
            assert files.file_digest(one / name) == files.file_digest(other / name), name


def edit(path: Path, **fields: Any) -> None:
    """Change fields of a JSON object."""
    files.write_json(path, files.read_object(path) | fields)


def wrong(checks: Any) -> dict[str, Check]:
    """The checks that show a difference, by name."""
    return {check.name: check for check in checks if check.wrong}


def test_a_run_is_reproduced_to_the_byte(made: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "again"
    assert main(["reproduce", str(made), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "nothing differs" in shown
    assert "numbers may differ" not in shown
    same_bytes(made / "networks", out / "networks")
    for name in ("accuracy.csv", "summary.csv", votes.SUBMISSION):
        assert (out / "ensemble" / name).read_bytes() == (made / "ensemble" / name).read_bytes()
    assert main(["verify", str(out)]) == 0
    started = (out / "networks" / "vgg_like" / "weights.safetensors").stat().st_mtime_ns
    assert main(["reproduce", str(made), "--out", str(out)]) == 0  # trains nothing again
    assert (out / "networks" / "vgg_like" / "weights.safetensors").stat().st_mtime_ns == started


def test_other_folders_are_refused(made: Path, tmp_path: Path, fault: Any, capsys: Any) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("x")
    (tmp_path / "file").write_text("x")
    another = tmp_path / "another"
    another.mkdir()
    files.write_json(another / votes.MARK, {"of": "/elsewhere/run"})
    refused = {
        made / "inside": "must not contain each other",
        made: "must not contain each other",
        made.parent: "must not contain each other",
        other: "thesis.tex",
        tmp_path / "file": "is a file",
        another: "/elsewhere/run",
    }
    for out, words in refused.items():
        with fault(KIND, f"reproduced into {words}"):
            before = sorted(path.name for path in made.iterdir())
            assert main(["reproduce", str(made), "--out", str(out)]) == 2
            assert words in capsys.readouterr().err
            assert sorted(path.name for path in made.iterdir()) == before
    assert (other / "thesis.tex").read_text() == "x"


def test_differences_are_measured(made: Path, tmp_path: Path, fault: Any) -> None:
    fit = Path(shutil.copytree(made / "networks" / "vgg_like", tmp_path / "vgg_like"))
    with fault(KIND, "weights that its recipe does not give"):
        meta = networks.weights.read_meta(fit / "weights.safetensors")
        network = networks.load(fit / "weights.safetensors")
        next(network.parameters()).data.add_(0.25)
        belongs = {key: meta[key] for key in ("class_ids", "fingerprint")}
        networks.save(network, fit / "weights.safetensors", **belongs)
        found = wrong(reproduce(fit, tmp_path / "a"))
        assert list(found) == ["vgg_like: weights.safetensors"]
        assert "largest difference 0.25" in str(found["vgg_like: weights.safetensors"])
    with fault(KIND, "a learning rate that it was not trained by"):
        edit(fit / "recipe.json", lr=0.011)
        found = wrong(reproduce(fit, tmp_path / "b"))
        assert "predictions changed; accuracy" in found["vgg_like: predictions_val.csv"].detail
        assert "from epoch 1 on" in found["vgg_like: history.jsonl"].detail
        assert "largest difference" in found["vgg_like: logits_val.npy"].detail


def test_another_machine_is_told_first(made: Path, tmp_path: Path, fault: Any) -> None:
    fit = Path(shutil.copytree(made / "networks" / "vgg_like", tmp_path / "vgg_like"))
    with fault(KIND, "made with other versions on another device"):
        versions = files.read_object(fit / "meta.json")["versions"] | {"torch": "1.0"}
        edit(fit / "meta.json", versions=versions, source="0" * 12, instructions="ABACUS")
        edit(fit / "meta.json", device="cpu (sparc, 1 threads)")
        notes = [str(check) for check in reproduce(fit, tmp_path / "a") if check.state == "note"]
        assert len(notes) == 4
        for words in ("torch 1.0 made it", "source 000000000000, here", "ABACUS", "cpu (sparc)"):
            assert any(words in note for note in notes)


def test_what_cannot_be_reproduced_says_why(made: Path, tmp_path: Path, fault: Any) -> None:
    weights = tmp_path / "start.safetensors"
    shutil.copy(made / "networks" / "vgg_like" / "weights.safetensors", weights)
    data = open_data("sample", per_class=10)
    recipe = Recipe("vgg_like", epochs=1, lr=0.01, width=0.25, weights=str(weights))
    fit = train.fit(recipe, data, tmp_path / "second", device="cpu", progress=None).path
    assert not wrong(reproduce(fit, tmp_path / "a"))
    with fault(KIND, "starting weights gone"):
        weights.unlink()
        found = wrong(reproduce(fit, tmp_path / "b"))
        assert "are missing or were changed" in found["second: trained again"].detail
    other = Path(shutil.copytree(made / "networks" / "vgg_like", tmp_path / "vgg_like"))
    with fault(KIND, "data that are not those trained on"):
        edit(other / "meta.json", fingerprint="0" * 64)
        found = wrong(reproduce(other, tmp_path / "c"))
        assert "has other images" in found["vgg_like: trained again"].detail
    with fault(KIND, "a fit that has not finished"):
        (other / "summary.json").unlink()
        assert "has not finished" in "\n".join(map(str, reproduce(other, tmp_path / "d")))


def test_a_killed_reproduction_resumes(tmp_path: Path, fault: Any, capsys: Any) -> None:
    data = open_data("sample", classes=4, per_class=25)
    recipe = Recipe("vgg_like", epochs=30, lr=0.01, width=0.25, momentum=0.9)
    fit = train.fit(recipe, data, tmp_path / "vgg_like", device="cpu", progress=None).path
    out = tmp_path / "again"
    command = [sys.executable, "-m", "tin_lib", "reproduce", str(fit), "--out", str(out)]
    with fault("killed", "tin reproduce") as tried:
        job = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        saved, end = out / "vgg_like" / checkpoint.HISTORY, time.monotonic() + 90
        while not saved.is_file():
            assert job.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)
        os.kill(job.pid, signal.SIGKILL)
        assert job.wait() == -signal.SIGKILL
        done = len(saved.read_text().splitlines())
        assert 0 < done < 30
        assert main(command[3:]) == 0
        shown = capsys.readouterr().out
        assert f"epoch {done + 1:>3}/30" in shown
        assert f"epoch {done:>3}/30" not in shown
        same_bytes(fit, out / "vgg_like")
        tried.lost = "1 epoch"
