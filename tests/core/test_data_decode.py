"""The two decoders give the same pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from tin_lib.data.images import decode_jpeg, decode_with_pil


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_the_decoders_agree(mode: str) -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((64, 64))
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, "JPEG")
    fast, slow = decode_jpeg(bytearray(buffer.getvalue())), decode_with_pil(buffer.getvalue())
    assert fast.shape == ((1, 64, 64) if mode == "L" else (3, 64, 64))
    np.testing.assert_array_equal(fast.numpy(), slow.numpy())
