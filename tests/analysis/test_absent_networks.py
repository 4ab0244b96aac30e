"""A run without some of its networks: which are missing is said, the others are used."""

from typing import Any

import pytest

from tin_lib import files
from tin_lib.analysis import runs


def test_the_networks_that_the_run_has_are_used(run: runs.Run, capsys: Any) -> None:
    assert run.present(["vgg_like", "convnet9"]) == ["vgg_like", "convnet9"]
    assert run.present([]) == []
    assert capsys.readouterr().out == ""
    assert run.present(["convnet9", "vgg16"]) == ["convnet9"]
    assert capsys.readouterr().out == "vgg16: not in this run; used: convnet9\n"
    assert run.present(["vgg16"]) == ["convnet9"]
    with pytest.raises(ValueError, match="no network 'vgg61'; the run has convnet9, vgg_like"):
        run.present(["convnet9", "vgg61"])


def test_opening_a_run_names_the_steps_that_failed(run: runs.Run, capsys: Any) -> None:
    record = run.path / "steps" / "04_vgg16.json"
    lost = {"status": "failed", "missing": ["networks/vgg16/summary.json"]}
    try:
        files.write_json(record, lost)
        runs.open_run(run.path)
        assert capsys.readouterr().out == f"{run.path} is without 04_vgg16, which failed\n"
        for other in (
            lost | {"status": "ok"},
            lost | {"missing": ["networks/vgg_like/summary.json"]},  # trained since
            lost | {"missing": ["saliency/maps.csv"]},
            lost | {"missing": 3},
        ):
            files.write_json(record, other)
            runs.open_run(run.path)
            assert capsys.readouterr().out == "", other
        record.write_text("cut sho")
        assert list(runs.open_run(run.path).fits) == ["convnet9", "vgg_like"]
    finally:
        record.unlink()
