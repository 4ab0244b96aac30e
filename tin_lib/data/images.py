"""One image file to uint8 pixels."""

import io
import re
import struct
import warnings

import numpy as np
import torch
from PIL import Image, ImageOps
from torchvision.transforms.functional import pil_to_tensor  # also registers torch.ops.image

from tin_lib.data.annotations import SIZE

UNCHANGED = 0  # torchvision's ImageReadMode: as many channels as the file has
USUAL_BYTES = 8192  # every file of Tiny ImageNet is shorter
JPEG = b"\xff\xd8"  # how every JPEG file begins
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of the header with a JPEG's size
UNKNOWN = (0, 0)
EMPTY = "empty; unpack the data again"
OTHERS = "or remove wnids.txt to read images of any format and size"
GRAY = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes


def decode_image(data: bytearray, path: str) -> torch.Tensor:
    """As ``decode_any``, but a 64×64 JPEG alone; ValueError, naming ``path``, for anything else."""
    if data[:2] != JPEG:
        found = f"not a JPEG image; unpack the data again, {OTHERS}" if data else EMPTY
        raise ValueError(f"{path} is {found}")
    width, height = size = jpeg_size(data)
    if size not in (UNKNOWN, (SIZE, SIZE)):  # checked before it is decoded: it may be huge
        problem = f"{width}x{height} pixels, expected {SIZE}x{SIZE}"
        raise ValueError(f"{path} is {problem}; unpack the data again, {OTHERS}")
    try:
        return decode_jpeg(data) if size != UNKNOWN else decode_with_pil(data)
    except (RuntimeError, OSError, SyntaxError) as error:
        why = str(error).splitlines()[0].replace(repr(data), "")
        raise ValueError(f"{path} is truncated or damaged ({why}); unpack the data again") from None


def jpeg_size(data: bytearray) -> tuple[int, int]:
    """Width and height in a JPEG's header; UNKNOWN if it is not found."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + (data[at + 2] << 8) + data[at + 3]
    return UNKNOWN


def decode_any(data: bytearray, path: str) -> torch.Tensor:
    """Decode any image that Pillow reads to uint8 (3, 64, 64), or (1, 64, 64) if grayscale.

    The EXIF orientation is applied, and another size is resized (bicubic with antialiasing, the
    aspect ratio is not kept). Transparent pixels become white; of an animation the first frame is
    taken. ValueError names ``path``.
    """
    try:
        usual = len(data) < USUAL_BYTES and data[:2] == JPEG and b"Exif" not in data
        if usual and jpeg_size(data) == (SIZE, SIZE):
            return decode_jpeg(data)  # as in Tiny ImageNet; three times as fast
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            return _with_pil(data)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise many kinds for damaged files
        why = " ".join(re.sub(r"<[^>]*>", "", str(error)).split()) or type(error).__name__
        raise ValueError(f"{path} cannot be read as an image ({why}); replace or move it") from None


def _with_pil(data: bytearray) -> torch.Tensor:
    with Image.open(io.BytesIO(data)) as opened:
        opened.draft(None, (4 * SIZE, 4 * SIZE))  # decode a large JPEG at a fraction of its size
        gray = opened.mode in GRAY
        image = ImageOps.exif_transpose(opened)
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers")
    if gray and image.mode[0] == "I":  # 16 bits
        image = Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    image = image.convert("L" if gray else "RGB")
    return pil_to_tensor(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def decode_jpeg(data: bytearray) -> torch.Tensor:
    """Decode a JPEG to uint8 (3, H, W) or gray (1, H, W); RuntimeError or OSError if damaged.

    torchvision's operator (whose wrapper warns since 0.29) takes a third of Pillow's time.
    """
    if not hasattr(torch.ops.image, "decode_jpeg"):
        return decode_with_pil(data)
    operator = torch.ops.image.decode_jpeg.default  # its one overload: no search for it
    image = operator(torch.frombuffer(data, dtype=torch.uint8), UNCHANGED)
    return image if image.shape[0] in (1, 3) else decode_with_pil(data)  # 4: CMYK


def decode_with_pil(data: bytearray) -> torch.Tensor:
    """Decode the same with Pillow."""
    with Image.open(io.BytesIO(data)) as image:
        return pil_to_tensor(image if image.mode == "L" else image.convert("RGB"))
