"""Pictures of one's own, classified by a trained network."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from PIL import Image, ImageOps

from tin_lib import predict
from tin_lib.data import decode, images
from tin_lib.data.annotations import SIZE
from tin_lib.runs import Fit

SQUARE = 1.1  # longer by shorter side, above which a resized picture is called distorted


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture as networks see it."""

    path: Path
    pixels: torch.Tensor  # uint8 (3, 64, 64), RGB
    about: str  # its size, and what was done to it


def read(path: str | Path) -> Picture:
    """Read an image of any format and size that Pillow knows.

    Raises FileNotFoundError or ValueError, naming the file, for what is no image.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; name a file that is an image")
    content = decode.read(str(path))
    pixels = images.decode_any(content, str(path))
    with Image.open(io.BytesIO(content)) as opened:
        width, height = ImageOps.exif_transpose(opened).size
    return Picture(path, pixels.expand(3, -1, -1).contiguous(), describe(width, height))


def describe(width: int, height: int) -> str:
    """What was done to a picture of this size: ``640×480 pixels, resized to 64×64, …``."""
    text = f"{width}×{height} pixels"
    if (width, height) == (SIZE, SIZE):
        return text
    text += f", resized to {SIZE}×{SIZE}"
    if max(width, height) > SQUARE * min(width, height):
        text += " without keeping its aspect ratio: crop it to a square to avoid the distortion"
    return text


def classify(fit: Fit, pictures: Sequence[Picture], k: int = 5) -> list[pd.DataFrame]:
    """The ``k`` most probable classes of each picture, best first: columns wnid, name and
    probability (0..1)."""
    batch = torch.stack([picture.pixels for picture in pictures])
    flip = bool(fit.recipe.get("flip_test"))
    scores = predict.scores(fit.network(), batch, fit.mean, fit.std, flip)
    probabilities = scores.softmax(1)
    return [
        pd.DataFrame(
            {
                "wnid": [fit.class_ids[n] for n in best],
                "name": [fit.class_names[n] for n in best],
                "probability": row[best].tolist(),
            }
        )
        for row, best in zip(probabilities, predict.top(scores, k).tolist())
    ]
