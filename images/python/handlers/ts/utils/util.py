"""Small things that handlers import."""

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

CLEANUP_REGEX = re.compile(r"<.*?>|&(?:[a-z0-9]+|#[0-9]{1,6}|#x[0-9a-f]{1,6});")
"""Tags and character references of HTML."""


class PredictionException(Exception):  # noqa: N818 - TorchServe's name
    """Raised by a handler for a batch that it refuses, with a status of its own."""

    def __init__(self, message: str, error_code: int = 500) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = error_code

    def __str__(self) -> str:
        return f"{self.message} : {self.error_code}"


def list_classes_from_module(module: ModuleType, parent_class: type | None = None) -> list[type]:
    """Return the classes that a module defines itself, those below ``parent_class`` only."""
    return [
        cls
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if cls.__module__ == module.__name__
        and (parent_class is None or issubclass(cls, parent_class))
    ]


def load_label_mapping(mapping_file_path: str) -> dict[str, Any] | None:
    """Return the names of a model's classes by their numbers; None where there is no such file.

    The file is index_to_name.json: an object of numbers and names, or of lists of names; or such
    an object under ``object_type_names``.
    """
    path = Path(mapping_file_path)
    if not path.is_file():
        return None
    mapping = json.loads(path.read_text())
    if not isinstance(mapping, dict):
        raise ValueError(f"{path.name} is to be an object of class numbers and names")
    names = mapping.get("object_type_names", mapping)
    if not isinstance(names, list | dict):
        raise ValueError(f"{path.name}: object_type_names is to be a list or an object")
    if isinstance(names, list):
        return {str(index): name for index, name in enumerate(names)}
    return {
        str(key): value[-1] if isinstance(value, list) else str(value)
        for key, value in names.items()
    }


def map_class_to_label(
    probs: Sequence[Sequence[float]],
    mapping: Mapping[str, Any] | None = None,
    lbl_classes: Sequence[Sequence[int]] | None = None,
) -> list[dict[str, float]]:
    """Return each row's probabilities by the names of their classes, or by their numbers."""
    if not isinstance(probs, list):
        raise TypeError("Convert the probabilities to a list of lists: `probs.tolist()`.")
    rows = lbl_classes or [range(len(row)) for row in probs]
    return [
        {
            (mapping or {}).get(str(number), str(number)): probability
            for number, probability in zip(numbers, row, strict=False)
        }
        for numbers, row in zip(rows, probs, strict=False)
    ]


PT2_BACKENDS = frozenset(
    [
        "eager",
        "aot_eager",
        "inductor",
        "nvfuser",
        "aot_nvfuser",
        "aot_cudagraphs",
        "ofi",
        "fx2trt",
        "onnxrt",
        "ipex",
        "torchxla_trace_once",
        "openvino",
        "tensorrt",
        "hpu_backend",
    ]
)
"""The backends of torch.compile that TorchServe 0.12 takes."""


def check_valid_pt2_backend(backend: str) -> bool:
    """Tell whether a backend of torch.compile is one that TorchServe takes."""
    return backend in PT2_BACKENDS


def get_yaml_config(yaml_file_path: str) -> Any:
    """Return what a YAML file holds."""
    with Path(yaml_file_path).open() as file:
        return yaml.safe_load(file)
