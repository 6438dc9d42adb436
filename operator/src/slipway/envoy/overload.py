"""What Envoy does where its memory or its connections run out: it refuses before it is killed.

Field reference: envoy.config.overload.v3.OverloadManager; the thresholds are those of Envoy's
"Configuring Envoy as an edge proxy".
"""

from typing import Any

from slipway.envoy.config import ProxyConfig, typed

MAX_DOWNSTREAM_CONNECTIONS = 10_000
SHORTEST_IDLE_SECONDS = 5
"""How long an unused connection is kept where memory or connections run out."""

_HEAP = "envoy.resource_monitors.fixed_heap"
_CONNECTIONS = "envoy.resource_monitors.global_downstream_max_connections"


def overload_manager(config: ProxyConfig) -> dict[str, Any]:
    """Return the overload manager: first memory is given back, then large requests, then new ones.

    The streams that are reset are those of HTTP/2 with the most memory, from 512 KiB on.
    """
    return {
        "refresh_interval": "0.25s",
        "buffer_factory_config": {"minimum_account_to_track_power_of_two": 19},
        "resource_monitors": [_heap(config.heap_bytes), _connections()],
        "actions": [
            _action("shrink_heap", _threshold(0.8)),
            {
                **_action("reduce_timeouts", _scaled(_HEAP, 0.75), _scaled(_CONNECTIONS, 0.75)),
                "typed_config": _idle_timeout(),
            },
            _action("reset_high_memory_stream", _scaled(_HEAP, 0.8)),
            _action("disable_http_keepalive", _threshold(0.9)),
            _action("stop_accepting_requests", _threshold(0.95)),
            _action("stop_accepting_connections", _threshold(0.95)),
        ],
    }


def _heap(limit: int) -> dict[str, Any]:
    monitor = typed(
        "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
        max_heap_size_bytes=limit,
    )
    return {"name": _HEAP, "typed_config": monitor}


def _connections() -> dict[str, Any]:
    monitor = typed(
        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=MAX_DOWNSTREAM_CONNECTIONS,
    )
    return {"name": _CONNECTIONS, "typed_config": monitor}


def _action(name: str, *triggers: dict[str, Any]) -> dict[str, Any]:
    return {"name": f"envoy.overload_actions.{name}", "triggers": list(triggers)}


def _threshold(share: float) -> dict[str, Any]:
    return {"name": _HEAP, "threshold": {"value": share}}


def _scaled(monitor: str, share: float) -> dict[str, Any]:
    """Return a trigger that grows from a share of a resource on, and is full at 95 % of it."""
    return {"name": monitor, "scaled": {"scaling_threshold": share, "saturation_threshold": 0.95}}


def _idle_timeout() -> dict[str, Any]:
    return typed(
        "envoy.config.overload.v3.ScaleTimersOverloadActionConfig",
        timer_scale_factors=[
            {
                "timer": "HTTP_DOWNSTREAM_CONNECTION_IDLE",
                "min_timeout": f"{SHORTEST_IDLE_SECONDS}s",
            }
        ],
    )
