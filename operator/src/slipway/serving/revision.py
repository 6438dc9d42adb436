"""A revision: all that a serving pod is made of, and the hash that names it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from slipway.api import ModelDeployment
from slipway.api.model_deployment import ModelStatus
from slipway.serving.configuration import fixed_files, route_files
from slipway.serving.pod import pod_template
from slipway.settings import Settings

HASH_LENGTH = 10


@dataclass(frozen=True)
class Revision:
    """What the pods of one revision are made of.

    ``files`` are fixed and part of what ``name`` stands for; ``routes`` may change meanwhile.
    """

    name: str
    model: ModelStatus
    template: dict[str, Any]
    files: dict[str, str]
    routes: dict[str, str]


def revision_of(deployment: ModelDeployment, model: ModelStatus, settings: Settings) -> Revision:
    """Return the revision that the spec asks for; equal pods have equal names."""
    files = fixed_files(deployment, model)
    nameless = pod_template(deployment, model, settings, "")
    name = hash_of({"template": nameless, "files": files})
    return Revision(
        name=name,
        model=model,
        template=pod_template(deployment, model, settings, name),
        files=files,
        routes=route_files(deployment, model),
    )


def hash_of(content: dict[str, Any]) -> str:
    """Return 10 hexadecimal digits of the SHA-256 of a JSON document."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]
