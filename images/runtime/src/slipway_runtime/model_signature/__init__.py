"""What a model takes and answers, which a script writes beside its weights by one call."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from slipway_runtime.model_signature import inferring

FILE_NAME = "signature.json"
MAX_BYTES = 1_048_576
"""Longest file, as `slipway_handlers.signature` reads it."""


def signature(
    inputs: Any,
    outputs: Any = None,
    sample: Any = None,
    *,
    labels: Iterable[Any] = (),
    preprocessing: Mapping[str, Any] | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Path | None:
    """Write ``signature.json`` beside the output, and return its path.

    ``inputs`` and ``outputs`` are rows, from which names, types and shapes follow: a data frame, a
    mapping of columns, a list of mappings, an array or tensor, a list of rows. In a mapping a
    column may be told instead of shown: ``{"dtype": "float32", "shape": [-1, 4]}``, also with
    ``categories`` or with the ``default`` of a value that is missing. ``labels`` are the names of
    the last output's classes, by number. ``sample`` is the body of a request that the model
    answers, as JSON. The file goes to ``folder`` or else to the job's output; outside Slipway, and
    by another process than rank 0's, nothing is written. Raises ValueError for what makes no
    signature.
    """
    document = describe(inputs, outputs, sample, labels, preprocessing)
    try:
        text = json.dumps(document, indent=1, allow_nan=False) + "\n"
        json.loads(text, object_pairs_hook=_once)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"The signature holds what JSON has no words for: {error}") from None
    if len(text.encode()) > MAX_BYTES:
        raise ValueError(f"The signature is longer than {MAX_BYTES} bytes: name fewer categories.")
    target = folder or os.environ.get("SLIPWAY_OUTPUT_DIR")
    if not target or os.environ.get("RANK", "0") != "0":
        return None
    path = Path(target, FILE_NAME)
    path.write_text(text, encoding="utf-8")
    return path


def _once(pairs: list[tuple[str, Any]]) -> None:
    """Raise ValueError where an object has a name twice, as one that had both 1 and "1"."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("an object has two fields of one name")


def describe(
    inputs: Any,
    outputs: Any = None,
    sample: Any = None,
    labels: Iterable[Any] = (),
    preprocessing: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the file's content; raises ValueError."""
    answers = inferring.tensors(outputs, "output") if outputs is not None else []
    if named := inferring.texts(labels, "labels"):
        answers = answers or [{"name": "output", "dtype": "float32", "shape": [-1, len(named)]}]
        answers[-1]["labels"] = named
    found: dict[str, Any] = {
        "slipwaySignature": 1,
        "inputs": inferring.tensors(inputs, "input"),
        "outputs": answers,
    }
    if preprocessing:
        found["preprocessing"] = dict(preprocessing)
    if sample is not None:
        found["sample"] = {"contentType": "application/json", "body": sample}
    return found
