"""TorchServe's config.properties, completed with what only the archive knows.

The operator writes the configuration before anybody has seen the archive. Its ``model_snapshot``
lacks what the archive's own model-config.yaml is to decide (`KEYS`), and TorchServe loads no
snapshot without.
"""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from slipway_pods.bring.archive import ArchiveError, readable
from slipway_runtime import strict

MAX_FILE_BYTES = 1024 * 1024
"""Longest manifest or configuration in an archive."""
KEY = "model_snapshot="
KEYS = {
    "batchSize": (1, 1),
    "maxBatchDelay": (0, 100),
    "responseTimeout": (1, 120),
    "startupTimeout": (1, 600),
}
"""The least that TorchServe takes, and what it takes where nobody says anything.

The delay is in milliseconds, the timeouts are in seconds. Source: ModelConfig in
org.pytorch.serve.archive.model of TorchServe 0.12.
"""


class InvalidArchiveError(Exception):
    """A file is no .mar archive that TorchServe could load; the text is one sentence."""


def complete(template: str, archive: Path) -> str:
    """Return config.properties with the archive's own values where the template has none.

    Raises InvalidArchiveError.
    """
    own = model_config(archive)
    lines = (_complete_line(line, own) for line in template.splitlines())
    return "".join(f"{line}\n" for line in lines)


def _complete_line(line: str, own: Mapping[str, Any]) -> str:
    if not line.startswith(KEY):
        return line
    snapshot = json.loads(line.removeprefix(KEY))
    for versions in snapshot["models"].values():
        for entry in versions.values():
            for key, (least, default) in KEYS.items():
                entry.setdefault(key, _number(own.get(key), least, default))
    return KEY + json.dumps(snapshot)


def _number(value: object, least: int, default: int) -> int:
    """Return a number that TorchServe would take; it ignores others, as we do."""
    if isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**31:
        return value
    return default


def startup_timeout(config: str) -> int:
    """Return how long workers may take to come up, in seconds, as a complete configuration says.

    Raises ValueError, KeyError or TypeError for a text that is none.
    """
    line = next(one for one in config.splitlines() if one.startswith(KEY))
    (versions,) = json.loads(line.removeprefix(KEY))["models"].values()
    (entry,) = versions.values()
    return int(entry["startupTimeout"])


def own_startup_timeout(archive: Path) -> int:
    """Return how long an archive's workers may take to come up, as it says itself, in seconds.

    Raises InvalidArchiveError.
    """
    return _number(model_config(archive).get("startupTimeout"), *KEYS["startupTimeout"])


def model_config(archive: Path) -> Mapping[str, Any]:
    """Return the content of an archive's model-config.yaml; empty where it has none.

    Raises InvalidArchiveError for a file that is no archive, or lacks a manifest or a handler.
    """
    try:
        with readable(), zipfile.ZipFile(archive) as opened:
            model = strict.Fields(_read_json(opened, "MAR-INF/MANIFEST.json")).mapping("model")
            if not model:
                raise ValueError("its manifest names no model")
            name = model.get("configFile")
            found = yaml.safe_load(_read(opened, str(name))) if name else {}
    except ArchiveError as error:
        raise InvalidArchiveError(
            f"{archive.name} is no .mar archive with a manifest: make it with torch-model-archiver "
            f"or a TrainingJob ({error.__cause__ or error})."
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidArchiveError(f"The archive's {name} is no YAML: {error}") from error
    return found if isinstance(found, dict) else {}


def _read_json(archive: zipfile.ZipFile, name: str) -> Any:
    return strict.loads(_read(archive, name), MAX_FILE_BYTES)


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a small file of an archive; raises ValueError for a large one."""
    with archive.open(name) as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"{name} has more than {MAX_FILE_BYTES} bytes")
    return data
