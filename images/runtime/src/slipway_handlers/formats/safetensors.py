"""Weights in safetensors: a header of JSON with each tensor's place, and then nothing but numbers.

Format: https://github.com/huggingface/safetensors#format. Reading it runs no code.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

MAX_HEADER = 100_000_000
"""Longest header, in bytes, as the format's own reader has it."""
DTYPES: Mapping[str, str] = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
"""The format's names of numbers, and torch's."""
_LENGTH = struct.Struct("<Q")


def read(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by their names; raises ValueError for what is none, OSError."""
    with path.open("rb") as file:
        begin = file.read(_LENGTH.size)
        length = _LENGTH.unpack(begin)[0] if len(begin) == _LENGTH.size else MAX_HEADER + 1
        if length > MAX_HEADER:
            raise ValueError(f"{path.name} is no file of safetensors.")
        head, data = file.read(length), bytearray(file.read())
    try:
        told = json.loads(head)
        return {
            name: _tensor(data, fields) for name, fields in told.items() if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path.name} is no file of safetensors: {error!r}.") from error


def _tensor(data: bytearray, fields: Any) -> torch.Tensor:
    dtype, shape = getattr(torch, DTYPES[fields["dtype"]]), fields["shape"]
    begin, end = fields["data_offsets"]
    if not all(type(each) is int and each >= 0 for each in (begin, end, *shape)):
        raise ValueError("a length or a place is no whole number")
    count = math.prod(shape)
    if end > len(data) or end - begin != count * dtype.itemsize:
        raise ValueError("a tensor's place and its shape do not fit")
    if not count:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(data, dtype=dtype, count=count, offset=begin).reshape(shape)
