"""Pictures as a model takes them: decoded, scaled, cut and normalised as torchvision does it.

A body is a JPEG or PNG file, or ``{"image": BASE64}``, in lines of any length or as a data URL.
"""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from slipway_handlers.requests import BadInputError
from slipway_handlers.settings import ImageSettings

FORMATS = ("JPEG", "PNG")
_DATA_URL = re.compile(r"\Adata:image/[a-z]{1,16};base64,")
"""What a browser's canvas writes before the Base64 (RFC 2397)."""
MAX_PIXELS = 50_000_000
"""Most pixels of a picture, as it comes and as it is scaled: three bytes of memory each."""
MAX_SCANS = 100
"""Most scans of a JPEG file, each of which may cost all pixels' time; cameras write ten or so."""
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
"""A marker that begins or ends something; in what a scan encodes there is none of them."""
_END, _SCAN = 0xD9, 0xDA
"""JPEG's markers EOI and SOS (ISO/IEC 10918-1, B.1.1.3)."""


def read(found: Any, settings: ImageSettings) -> npt.NDArray[np.float32]:
    """Return a body's picture, of shape (channels, size, size); raises BadInputError."""
    content = found if isinstance(found, bytes | bytearray) else _from_json(found)
    picture = _scale(_decode(bytes(content), settings.mode), settings.resize)
    return _normal(_cut(picture, settings.size), settings)


def _from_json(found: Any) -> bytes:
    text = found.get("image") if isinstance(found, dict) else None
    if not isinstance(text, str):
        raise BadInputError('send a JPEG or PNG file, or {"image": "..."} with one in Base64')
    try:
        return base64.b64decode(_DATA_URL.sub("", "".join(text.split())), validate=True)
    except ValueError as error:
        raise BadInputError(f"its image is no Base64: {error}") from error


def _decode(content: bytes, mode: str) -> Image.Image:
    """Decode a picture; whatever its decoder raises is the picture's fault, but for memory."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            # A JPEG file that says that it is the first of several has the format MPO.
            if picture.format != "PNG" and _scans(content) > MAX_SCANS:
                raise BadInputError(f"its picture has more than {MAX_SCANS} scans")
            if picture.width * picture.height <= MAX_PIXELS:
                return picture.convert(mode)
    except (MemoryError, BadInputError):
        raise
    except Image.DecompressionBombError:
        pass
    except Exception as error:
        raise BadInputError("it is no JPEG or PNG picture that can be decoded") from error
    raise BadInputError(f"its picture has more than {MAX_PIXELS} pixels")


def _scans(content: bytes) -> int:
    """Return how many scans a JPEG file has, or that it has more than `MAX_SCANS`."""
    count, place = 0, 2
    while count <= MAX_SCANS and (found := _MARKER.search(content, place)):
        marker, place = found.group()[1], found.end()
        if marker == _END:
            break
        count += marker == _SCAN
        place += max(2, int.from_bytes(content[place : place + 2], "big"))
    return count


def _scale(picture: Image.Image, shorter: int) -> Image.Image:
    """Bring the shorter side to a length, as torchvision.transforms.Resize does."""
    width, height = picture.size
    short, long = sorted((width, height))
    longer = int(shorter * long / short)
    if shorter * longer > MAX_PIXELS:
        raise BadInputError(f"its picture of {width} x {height} pixels is too long for its width")
    size = (shorter, longer) if width <= height else (longer, shorter)
    return picture if size == picture.size else picture.resize(size, Image.Resampling.BILINEAR)


def _cut(picture: Image.Image, size: int) -> Image.Image:
    """Cut out the middle, as torchvision.transforms.CenterCrop does."""
    left, top = round((picture.width - size) / 2), round((picture.height - size) / 2)
    return picture.crop((left, top, left + size, top + size))


def _normal(picture: Image.Image, settings: ImageSettings) -> npt.NDArray[np.float32]:
    """Return the pixels as shares from 0 to 1, less the mean, in standard deviations."""
    pixels = np.asarray(picture, np.float32).reshape(settings.size, settings.size, -1) / 255
    mean, std = np.array(settings.mean, np.float32), np.array(settings.std, np.float32)
    return np.ascontiguousarray(((pixels - mean) / std).transpose(2, 0, 1))
