"""The paths by which users reach a model: those of predictions, and those of a server's own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from slipway.envoy.config import ProxyConfig

PREDICT = "/predict"
MOST_ADVICE = 1024
"""How long the beginnings of paths may be that are named in Envoy's own answers, in bytes: it takes
no route file with an answer above 4096 (max_direct_response_body_size_bytes)."""


@dataclass(frozen=True)
class Door:
    """Some of the users' paths: ``match`` is Envoy's for them, ``name`` that of their routes.

    A prediction goes to the path by which the server knows the model; all else is handed on.
    """

    name: str
    match: dict[str, Any]
    is_prediction: bool = True


def doors(config: ProxyConfig) -> Iterator[Door]:
    """Yield the doors, those that lead to the model itself first."""
    yield from predictions(config)
    yield from passed_on(config)


def predictions(config: ProxyConfig) -> Iterator[Door]:
    """Yield the doors of predictions."""
    yield Door("predict", {"path": PREDICT})
    yield Door("predictions", {"path": own_path(config)})


def passed_on(config: ProxyConfig) -> Iterator[Door]:
    """Yield the doors of a server that has paths of its own."""
    for number, prefix in enumerate(config.upstream.paths):
        yield Door(f"path-{number}", {"prefix": prefix}, is_prediction=False)


def own_path(config: ProxyConfig) -> str:
    """Return the path by which users may name the model, besides /predict."""
    return f"/predictions/{config.model}"


def advice(config: ProxyConfig) -> str:
    """Return what is said of any other path."""
    if not config.upstream.paths:
        return f"Post to {PREDICT} or {own_path(config)}: nothing else is served."
    known = " or ".join(config.upstream.paths)
    if len(known) > MOST_ADVICE:
        return f"Ask {PREDICT}, or a path that begins as the deployment's server.container.paths."
    return f"Ask {PREDICT}, or a path that begins with {known}."
