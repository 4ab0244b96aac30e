"""The profile of a training step; what the command writes is tested in test_commands."""

from pathlib import Path

import pytest
import torch

from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.runner.profile import profile

RECIPE = Recipe("vgg_like", epochs=1, lr=0.003, width=0.25, batch_size=16)


def test_steps_must_be_positive(tiny: TinyImageNet, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="profile steps 0: must be at least 1"):
        profile(RECIPE, tiny, tmp_path, 0, "cpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.filterwarnings("default")
def test_profile_sees_the_gpu(tiny: TinyImageNet, tmp_path: Path) -> None:
    assert "CUDA" in profile(RECIPE, tiny, tmp_path, 2, "cuda")
