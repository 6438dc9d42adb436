"""A model's own configuration: the archive's model-config.yaml, in TorchServe's words.

Reference: "Config model" in TorchServe's README
(https://github.com/pytorch/serve/blob/master/model-archiver/README.md#config-file).
"""

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from slipway_server.errors import ArchiveError

_MOST_BYTES = 1 << 20
"""Longest model-config.yaml, in bytes."""

_MOST_MILLISECONDS = 30 * 86_400_000
"""Longest time of a sequence: 30 days."""

REFUSED = {
    "asyncCommunication": "its handler talks to the server by itself; serve it with vLLM",
    "parallelType": "a model is not spread over processes; serve it with vLLM, or with the runtime "
    "TorchServe",
    "useVenv": "all packages are those of the image; package them into the archive or into an "
    "image",
}
"""What this server does not do, why, and what to do: such a model would serve something else."""


@dataclass(frozen=True)
class ModelConfig:
    """How a model wants to be served; ``raw`` is the whole file, which handlers read.

    ``max_batch_delay``, ``sequence_idle`` and ``sequence_timeout`` are in milliseconds, the other
    times are in seconds. For sequences and what goes on, see `slipway_server.stateful`.
    """

    workers: int = 1
    batch_size: int = 1
    max_batch_delay: int = 100
    response_timeout: int = 120
    startup_timeout: int = 600
    queue_size: int = 100
    device_type: str = ""
    is_sequence: bool = False
    is_continuous: bool = False
    sequence_idle: int = 0
    sequence_timeout: int = 0
    sequence_queue_size: int = 1
    max_sequences: int = 1
    raw: Mapping[str, Any] = field(default_factory=dict)

    def with_values(self, **values: Any) -> "ModelConfig":
        """Return it with other values; None keeps what there is."""
        return replace(self, **{key: v for key, v in values.items() if v is not None})


def _count(most: int, least: int = 1) -> Callable[[str, object], int]:
    def parse(key: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ArchiveError(
                f"model-config.yaml: {key} is a number from {least} to {most}, not "
                f"{reprlib.repr(value):.80}."
            )
        return value

    return parse


def _device(key: str, value: object) -> str:
    if value not in ("cpu", "gpu"):
        raise ArchiveError(
            f"model-config.yaml: {key} is cpu or gpu, not {reprlib.repr(value):.80}."
        )
    return str(value)


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ArchiveError(
            f"model-config.yaml: {key} is true or false, not {reprlib.repr(value):.80}."
        )
    return value


_KEYS: dict[str, tuple[str, Callable[[str, object], Any]]] = {
    "minWorkers": ("workers", _count(128)),
    "batchSize": ("batch_size", _count(4096)),
    "maxBatchDelay": ("max_batch_delay", _count(3_600_000, 0)),
    "responseTimeout": ("response_timeout", _count(86_400)),
    "startupTimeout": ("startup_timeout", _count(86_400)),
    "jobQueueSize": ("queue_size", _count(1_000_000)),
    "deviceType": ("device_type", _device),
    "sequenceBatching": ("is_sequence", _flag),
    "continuousBatching": ("is_continuous", _flag),
    "sequenceMaxIdleMSec": ("sequence_idle", _count(_MOST_MILLISECONDS, 0)),
    "sequenceTimeoutMSec": ("sequence_timeout", _count(_MOST_MILLISECONDS, 0)),
    "maxSequenceJobQueueSize": ("sequence_queue_size", _count(1_000_000)),
    "maxNumSequence": ("max_sequences", _count(1_000_000)),
}


def parse(text: bytes) -> ModelConfig:
    """Return what a model-config.yaml says; keys that mean nothing here are the handler's own."""
    try:
        raw = yaml.safe_load(text) or {}
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        line = " ".join(str(error).split())[:200]
        raise ArchiveError(f"model-config.yaml is no YAML: {line}.") from None
    if not isinstance(raw, dict):
        raise ArchiveError("model-config.yaml is no mapping.")
    for key, why in REFUSED.items():
        if raw.get(key):
            raise ArchiveError(f"model-config.yaml: {key} is not served here: {why}.")
    known = {name: parse(key, raw[key]) for key, (name, parse) in _KEYS.items() if key in raw}
    config = ModelConfig(**known, raw=raw)
    if config.is_sequence and not config.sequence_idle:
        raise ArchiveError(
            "model-config.yaml: sequenceBatching needs sequenceMaxIdleMSec, the milliseconds for "
            "which a sequence is kept without a request."
        )
    return config


def load(folder: Path, name: str) -> ModelConfig:
    """Return an archive's configuration; the defaults where it has none."""
    if not name:
        return ModelConfig()
    path = folder / name
    if not path.is_file() or folder.resolve() not in path.resolve().parents:
        raise ArchiveError(f"The archive has no {name[:200]}, which its manifest names.")
    with path.open("rb") as file:
        text = file.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise ArchiveError(f"model-config.yaml is longer than {_MOST_BYTES} bytes.")
    return parse(text)
