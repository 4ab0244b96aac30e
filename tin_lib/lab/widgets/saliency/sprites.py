"""Sprite sheets: many small maps in one JPEG, wrapped in a script that any page can load.

A page opened from the file system may load scripts, but may not read the pixels of picture files;
so a sheet travels as text in a script that hands it over.
"""

import base64
import io
import json

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tin_lib.analysis.saliency.views import VIEWS, full_strength

COLUMNS = 20  # tiles side by side
# Of the JPEGs. A gradient's map, the noisiest, takes 1.5 to 2 KB, and its absolute view correlates
# by 0.89 to 0.95 with the exact one (four networks on real images).
QUALITY = 80


def pack(maps: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Signed maps float (N, 3, H, W) as uint8 of that shape about 128, and their gains (N, 3).

    From the byte b, a view (absolute, positive, negative, each with its gain g) is shown as
    255·g·v cut to 255, where v = (b - 128) / 127 for the positive view, the opposite for the
    negative one, and the largest |v| over the channels for the absolute one: what
    ``views.to_uint8`` makes of each view, but for rounding.
    """
    tops = torch.stack([full_strength(view(maps)) for view in VIEWS.values()], 1)
    most = tops.amax(1).clamp(min=1e-20)
    shares = (maps / most[:, None, None, None]).clamp(-1, 1)
    packed = (128 + 127 * shares).round().to(torch.uint8)
    gains = torch.where(tops > 0, most[:, None] / tops.clamp(min=1e-20), 0)
    return packed.cpu().numpy(), gains.cpu().numpy()


def jpeg(tiles: np.ndarray, columns: int = COLUMNS, quality: int = QUALITY) -> bytes:
    """Tiles uint8 (N, 3, H, W) as one picture, row by row without gaps; colour at full detail."""
    count, _, height, width = tiles.shape
    rows = -(-count // columns)
    sheet = np.full((rows * columns, 3, height, width), 128, np.uint8)
    sheet[:count] = tiles
    grid = sheet.reshape(rows, columns, 3, height, width).transpose(0, 3, 1, 4, 2)
    picture = Image.fromarray(np.ascontiguousarray(grid).reshape(rows * height, -1, 3))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
    return buffer.getvalue()


def script(name: str, picture: bytes, gains: np.ndarray | None = None) -> str:
    """A script that calls ``receive(name, gains, picture)``, the picture as a data address."""
    rows = [] if gains is None else [[float(f"{g:.4g}") for g in row] for row in gains]
    address = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
    return f"receive({json.dumps(name)}, {json.dumps(rows)}, {json.dumps(address)});\n"
