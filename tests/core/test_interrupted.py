"""What a person sees who stops a fit, or uses one that other code has made."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cut_off import CutOff
from IPython.core.interactiveshell import InteractiveShell

from tin_lib import files
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train import Interrupted, fit
from tin_lib.train.checkpoint import Saving

SMALL = Recipe("vgg_like", epochs=3, lr=0.003, width=0.1, batch_size=32)
CELL = """
import sys
sys.path.insert(0, {tests!r})
from tiny_data import make_tiny
from cut_off import CutOff
from tin_lib.recipes import Recipe
from tin_lib.train import fit
recipe = Recipe("vgg_like", epochs=3, lr=0.003, width=0.1, batch_size=32)
done = fit(recipe, make_tiny(), {out!r}, device="cpu", progress={progress})
"""


@pytest.fixture(autouse=True)
def _save_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Saving, "due", lambda self: True)


def test_a_notebook_shows_one_line(tmp_path: Path, capsys: Any) -> None:
    shell = InteractiveShell()
    tests = str(Path(__file__).parents[1])
    cell = CELL.format(tests=tests, out=str(tmp_path / "net"), progress="CutOff(2)")
    found = shell.run_cell(cell)
    assert isinstance(found.error_in_exec, KeyboardInterrupt)
    shown = capsys.readouterr().out
    assert shown.splitlines() == ["Stopped after epoch 2; run the cell again to resume"]
    again = CELL.format(tests=tests, out=str(tmp_path / "net"), progress="None")
    assert shell.run_cell(again).success
    assert len(shell.user_ns["done"].history()) == 3


def test_stopped_before_anything_was_saved(tiny: TinyImageNet, tmp_path: Path) -> None:
    class AtOnce(CutOff):
        def epoch(self, row: dict[str, Any], epochs: int) -> None:
            (tmp_path / "net" / "checkpoint.pt").unlink()
            super().epoch(row, epochs)

    with pytest.raises(Interrupted, match="run the command again to start over") as caught:
        fit(SMALL, tiny, tmp_path / "net", device="cpu", progress=AtOnce(1))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


@pytest.mark.slow
def test_ctrl_c_at_the_command_line_says_how_to_resume(tmp_path: Path) -> None:
    out = tmp_path / "net"
    small = ["--classes", "3", "--per-class", "24", "--set", "epochs=500", "--set", "width=0.1"]
    command = [sys.executable, "-m", "tin_lib", "train", "vgg_like", "--recipe", "quick"]
    job = subprocess.Popen(
        [*command, "--out", str(out), *small],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 90
    while not (out / "history.jsonl").exists():
        assert time.monotonic() < end
        assert job.poll() is None
        time.sleep(0.05)
    os.kill(job.pid, signal.SIGINT)
    _, errors = job.communicate(timeout=60)
    assert job.returncode == 130
    saved = len((out / "history.jsonl").read_text().splitlines())
    advice = f"tin: Stopped after epoch {saved}; run the command again to resume"
    assert errors.splitlines() == [advice]


def as_by_other_code(folder: Path) -> None:
    """Change the digest of the code in a fit's meta."""
    meta = files.read_json(folder / "meta.json")
    assert meta["source"] == files.source_digest(core=True)
    files.write_json(folder / "meta.json", meta | {"source": "0123456789ab"})


def test_a_fit_of_other_code_is_used_and_named(
    tiny: TinyImageNet, tmp_path: Path, capsys: Any
) -> None:
    folder, now = tmp_path / "net", files.source_digest(core=True)
    done = fit(SMALL, tiny, folder, device="cpu", progress=None)
    again = fit(SMALL, tiny, folder, device="cpu", progress=CutOff(1))
    assert capsys.readouterr().out == ""
    as_by_other_code(folder)
    again = fit(SMALL, tiny, folder, device="cpu", progress=CutOff(1))
    assert again.digest == done.digest  # not trained again unasked
    (line,) = capsys.readouterr().out.splitlines()
    assert str(folder) in line
    assert f"0123456789ab -> {now}" in line
    assert "delete it to train again" in line


def test_a_checkpoint_of_other_code_is_resumed_and_named(
    tiny: TinyImageNet, tmp_path: Path, capsys: Any
) -> None:
    with pytest.raises(Interrupted):
        fit(SMALL, tiny, tmp_path / "net", device="cpu", progress=CutOff(2))
    as_by_other_code(tmp_path / "net")
    done = fit(SMALL, tiny, tmp_path / "net", device="cpu", progress=CutOff(2))
    assert len(done.history()) == 3  # epochs 1 and 2 were not run again
    assert "checkpoint by other library code (0123456789ab -> " in capsys.readouterr().out
    assert done.meta["source"] == "0123456789ab"  # it began there


def test_a_fit_without_a_checkpoint_is_made_by_the_code_that_trains_it(
    tiny: TinyImageNet, tmp_path: Path, capsys: Any
) -> None:
    done = fit(SMALL, tiny, tmp_path / "net", device="cpu", progress=None)
    as_by_other_code(done.path)
    (done.path / "weights.safetensors").unlink()
    again = fit(SMALL, tiny, tmp_path / "net", device="cpu", progress=None)
    assert again.meta["source"] == files.source_digest(core=True)
    assert capsys.readouterr().out == ""


def test_fits_from_before_the_digest_count_as_other(
    tiny: TinyImageNet, tmp_path: Path, capsys: Any
) -> None:
    done = fit(SMALL, tiny, tmp_path / "net", device="cpu", progress=None)
    path = done.path / "meta.json"
    path.write_text(json.dumps({k: v for k, v in done.meta.items() if k != "source"}))
    fit(SMALL, tiny, tmp_path / "net", device="cpu", progress=None)
    assert "(unrecorded -> " in capsys.readouterr().out


def test_an_ascii_terminal_gets_question_marks(tmp_path: Path) -> None:
    """A folder's name that the terminal cannot show: the fit ends, moved aside and all."""
    tests, code = (
        str(Path(__file__).parents[1]),
        CELL + "\nfit(recipe.replace(epochs=1), make_tiny(), {out!r}, device='cpu')",
    )
    out = str(tmp_path / "Bänke×→")
    run = subprocess.run(
        [sys.executable, "-c", code.format(tests=tests, out=out, progress="'auto'")],
        env=os.environ | {"PYTHONIOENCODING": "ascii", "TIN_BATCH": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "B?nke?? contained another fit" in run.stdout
