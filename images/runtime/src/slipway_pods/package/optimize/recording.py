"""What an archive's built-in handler gives its model, for rows that are asked one at a time."""

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from slipway_pods.serve.samples.rows import JSON, Sample

MANIFEST = "MAR-INF/MANIFEST.json"
CLASSES = frozenset(
    {
        "slipway_image_classification",
        "slipway_sequence",
        "slipway_text_classification",
        "slipway_token_classification",
    }
)
"""Files of handlers whose model answers scores of classes."""
TABLE = "slipway_tabular"
"""The one whose model does if its classes have names."""


@dataclass(frozen=True)
class Recorded:
    """The float model, what it was given for each row, and whether it answers classes.

    ``is_batched`` tells whether servers are to ask it several requests at once.
    """

    model: Callable[..., Any]
    calls: Sequence[tuple[Any, ...]]
    are_classes: bool
    is_batched: bool = False


@dataclass
class _Recorder:
    """A model that keeps what it is given."""

    model: Callable[..., Any]
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def __call__(self, *inputs: Any) -> Any:
        self.calls.append(inputs)
        return self.model(*inputs)


def record(folder: Path, samples: Sequence[Sample]) -> Recorded:
    """Ask the handler of an unpacked archive; raises what it raises, or ValueError without a call.

    Its modules are imported from the folder, which comes first on the path from now on.
    """
    manifest = json.loads((folder / MANIFEST).read_bytes())
    context = _context(folder, manifest)
    handler = _handler(folder, Path(manifest["model"]["handler"]).stem)
    handler.initialize(context)
    recorder = _Recorder(handler.model)
    handler.model = recorder
    for sample in samples:
        handler.handle([{"body": _body(sample)}], context)
    if not recorder.calls:
        raise ValueError("the handler gave the model none of the rows")
    is_batched = context.model_yaml_config.get("batchSize", 1) != 1
    return Recorded(recorder.model, recorder.calls, _answers_classes(handler), is_batched)


def _context(folder: Path, manifest: Mapping[str, Any]) -> Any:
    """Return what a handler is told of its server."""
    named = manifest["model"].get("configFile")
    config = yaml.safe_load((folder / named).read_text("utf-8")) if named else None
    return SimpleNamespace(
        system_properties={"model_dir": str(folder), "gpu_id": None},
        manifest=manifest,
        model_yaml_config=config or {},
        set_response_status=lambda *_: None,
    )


def _handler(folder: Path, name: str) -> Any:
    sys.path.insert(0, str(folder))
    module = importlib.import_module(name)
    (found,) = (
        each
        for _, each in inspect.getmembers(module, inspect.isclass)
        if each.__module__ == module.__name__
    )
    return found()


def _body(sample: Sample) -> Any:
    """Return a row as servers hand it to handlers."""
    return json.loads(sample.body) if sample.content_type == JSON else sample.body


def _answers_classes(handler: Any) -> bool:
    name = type(handler).__module__
    return name in CLASSES or (name == TABLE and bool(handler.mapping or handler.told.labels))
