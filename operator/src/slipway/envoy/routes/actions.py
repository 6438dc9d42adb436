"""What a route does with a request: to the pod's own server, or to the other slot's Envoy."""

from typing import Any

from slipway.envoy.clusters import FORWARDED, INFERENCE, TOKEN
from slipway.envoy.config import ProxyConfig, seconds
from slipway.envoy.routes.doors import Door
from slipway.envoy.split import Split

REVISION_HEADER = "x-slipway-revision"
"""Header of an answer that names the revision that gave it."""
PREDICTION = "x-slipway-prediction"
"""Header that tells the other slot's Envoy whether the path is that of a prediction, which its own
server may know by another one: ``true`` or ``false``."""


def forward(config: ProxyConfig) -> dict[str, Any]:
    """Return the action that hands a request to the pod's own server."""
    return {**action(config), "cluster": INFERENCE}


def action(config: ProxyConfig) -> dict[str, Any]:
    """Return what holds wherever a request goes.

    A request is tried again only where the server cannot have seen it: predictions need not be
    idempotent.
    """
    return {
        "timeout": seconds(config.route_timeout),
        "retry_policy": {
            "retry_on": "connect-failure,reset-before-request",
            "num_retries": 2,
            "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
        },
    }


def own(config: ProxyConfig) -> dict[str, Any]:
    """Return what goes with requests to the pod's own server.

    Its answers are marked with the revision; what Envoys tell each other is not the model's to see.
    """
    found: dict[str, Any] = {"request_headers_to_remove": [FORWARDED, TOKEN, PREDICTION]}
    if config.revision:
        found["response_headers_to_add"] = [replacing(REVISION_HEADER, config.revision)]
    return found


def addressed(config: ProxyConfig, split: Split, door: Door) -> dict[str, Any]:
    """Return the headers that tell Envoy's cluster where the other slot is, and the Envoy there.

    They replace what a user may have sent by those names. Where all paths are predictions', they
    say so themselves.
    """
    added = [replacing(FORWARDED, split.target or "")]
    if config.forward_token:
        added.append(replacing(TOKEN, config.forward_token))
    if config.upstream.paths:
        added.append(replacing(PREDICTION, "true" if door.is_prediction else "false"))
    return {"request_headers_to_add": added}


def replacing(name: str, value: str) -> dict[str, Any]:
    """Return a header that takes the place of one of its name."""
    header = {"key": name, "value": value}
    return {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
