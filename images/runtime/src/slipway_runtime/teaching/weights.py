"""The weights of another job's archive, as ``spec.inputs[].trainingJob`` brings it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, Any

from slipway_runtime.checks import one_reading

INPUTS_DIR = "/slipway/inputs"
"""Where inputs lie in a training pod, in folders of their names."""
MANIFEST = "MAR-INF/MANIFEST.json"
"""What says which file of an archive has the weights."""
MAX_MANIFEST_BYTES = 1_048_576
"""Longest manifest that is read."""
PROGRAMS = (".onnx", ".pt2")
"""Ends of the names of exported models, which are no weights of a class."""


def load_input(name: str, model: Any, *, strict: bool = True) -> Any:
    """Return a model with the weights of an input's archive, for a warm start or fine-tuning.

    ``name`` is the input's. The archive's ``serializedFile`` has to be a ``state_dict`` of torch,
    which is loaded with ``weights_only``: nothing in it runs. ``strict`` is torch's own: without it
    weights may be missing or left over. Raises FileNotFoundError where there is no such input, and
    ValueError where it is no archive, has an exported model or weights that were compressed; what
    torch raises for weights of another model.
    """
    import torch

    path = weights_file(name)
    check_weights(name, path)
    weights = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(weights, strict=strict)
    return model


def teacher(name: str, model: Any) -> Any:
    """Return a model with an input's weights that answers and does not learn; see `load_input`."""
    return load_input(name, model).eval().requires_grad_(False)


def check_weights(name: str, path: Path) -> None:
    """Raise ValueError where an archive's file is no state_dict, or would grow in memory.

    The input's ``name`` is told. An exported model is what `slipway.export` writes, and what
    ``package.optimize`` makes of it.
    """
    if path.suffix in PROGRAMS:
        raise ValueError(
            f"The model of the input {name} is {path.name}, an exported model, and no state_dict "
            "that another model could be given. Name a TrainingJob that packages a state_dict "
            f"(package.serializedFile, without package.optimize), or run {path} as it is, by "
            f"{'onnxruntime.InferenceSession' if path.suffix == '.onnx' else 'torch.export.load'}."
        )
    with path.open("rb") as file:
        if one_reading.begins(file):
            _check_zip(path, file)


def _check_zip(path: Path, file: IO[bytes]) -> None:
    """Raise ValueError where torch would find something else in a file than was looked at here."""
    try:
        entries = one_reading.listed(file, folds_case=True)
        if sum(entry.size for entry in entries) > path.stat().st_size:
            raise ValueError(
                f"{path} holds more bytes than it has, and would fill the memory: torch.save "
                "compresses nothing. Have the other job save its state_dict by torch.save alone."
            )
        one_reading.check_ends(file, entries)
    except one_reading.TwoReadingsError as error:
        raise ValueError(f"{path} is a broken file of torch.save: {error}.") from error


def weights_file(name: str) -> Path:
    """Return the file with the weights of an input's archive; raises as `load_input` does."""
    folder = Path(os.environ.get("SLIPWAY_INPUTS_DIR") or INPUTS_DIR, name)
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise FileNotFoundError(
            f"There is no archive in {folder}: name its TrainingJob in spec.inputs, as "
            f"{{name: {name}, trainingJob: {{name: ...}}}}."
        )
    with manifest.open("rb") as file:
        data = file.read(MAX_MANIFEST_BYTES + 1)
    try:
        told: Any = json.loads(data) if len(data) <= MAX_MANIFEST_BYTES else None
        path: Path = folder / told["model"]["serializedFile"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"{manifest} names no serializedFile.") from None
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        raise ValueError(f"{manifest} names a serializedFile that the archive does not have.")
    return path
