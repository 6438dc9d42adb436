"""The files of a revision's pods, from what its runtime and Envoy's package make."""

import hashlib
import json
from dataclasses import replace
from typing import Any

from slipway import envoy
from slipway.api import ModelDeployment
from slipway.api.fields.quantity import parse_quantity
from slipway.api.serving.deployment import CrossOrigin
from slipway.api.serving.model_status import ModelStatus
from slipway.api.serving.smoke import SmokeTest
from slipway.pods.resources import resources
from slipway.serving.children import names
from slipway.serving.children.pod import runtimes
from slipway.serving.children.pod.in_force import longest_response, most_at_once, most_waiting
from slipway.settings import Settings

HEAP_PERCENT = 80
"""How much of its limit Envoy takes before it refuses work; the rest is for what no heap counts."""


def proxy(deployment: ModelDeployment, model: ModelStatus, revision: str = "") -> envoy.ProxyConfig:
    """Return the settings of the pods' Envoy; the bootstrap needs no ``revision``.

    Only the bootstrap depends on the memory that Envoy may use: see `bootstrap`.
    """
    server = deployment.spec.server
    return envoy.ProxyConfig(
        namespace=deployment.metadata.namespace,
        deployment=deployment.metadata.name,
        model=model.name,
        upstream=runtimes.of(deployment).upstream(deployment, model),
        response_timeout=longest_response(deployment, model),
        most_at_once=most_at_once(deployment, model),
        most_waiting=most_waiting(deployment, model),
        max_request_bytes=server.max_request_bytes,
        revision=revision,
        forward_token=forward_token(deployment),
        drain_token="" if runtimes.of(deployment).has_hooks else drain_token(deployment),
        cors=_cors(deployment.spec.expose.cors),
        admin_socket=f"{names.ADMIN_DIR}/{names.ADMIN_SOCKET}",
        routes_folder=names.ROUTES_DIR,
        routes_file=names.ROUTES_FILE,
        http_port=names.HTTP_PORT,
        ops_port=names.OPS_PORT,
    )


def bootstrap(
    deployment: ModelDeployment, model: ModelStatus, settings: Settings
) -> envoy.ProxyConfig:
    """Return what Envoy's bootstrap is made from: it refuses work before its memory ends."""
    return replace(proxy(deployment, model), heap_bytes=heap_bytes(deployment, settings))


def proxy_resources(deployment: ModelDeployment, settings: Settings) -> dict[str, Any]:
    """Return Envoy's resources."""
    return resources("proxy", settings, deployment.spec.server.proxy.resources)


def heap_bytes(deployment: ModelDeployment, settings: Settings) -> int:
    """Return the memory from which on Envoy refuses work, in bytes: a part of its limit."""
    limit = parse_quantity(proxy_resources(deployment, settings)["limits"]["memory"])
    return int((limit or 0) * HEAP_PERCENT / 100)


def forward_token(deployment: ModelDeployment) -> str:
    """Return what the deployment's Envoys know each other by.

    Its UID is random, the same for both slots and in no address or answer; the digest keeps it so.
    """
    return _token(deployment, "forwarded")


def drain_token(deployment: ModelDeployment) -> str:
    """Return what opens the hook by which the kubelet drains a pod; whoever reads pods knows it."""
    return _token(deployment, "drain")


def _token(deployment: ModelDeployment, use: str) -> str:
    return hashlib.sha256(f"{use} {deployment.metadata.uid}".encode()).hexdigest()[:32]


def _cors(wanted: CrossOrigin | None) -> envoy.Cors | None:
    if wanted is None:
        return None
    return envoy.Cors(
        origins=tuple(dict.fromkeys(map(_as_sent, wanted.allow_origins))),
        headers=tuple(wanted.allow_headers),
        max_age_seconds=wanted.max_age_seconds,
        credentials=wanted.allow_credentials,
    )


def _as_sent(origin: str) -> str:
    """Return an origin as browsers send it: in small letters, without its scheme's own port.

    Source: https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin
    """
    scheme, _, host = origin.lower().partition("://")
    own = {"http": ":80", "https": ":443"}.get(scheme, "")
    return f"{scheme}://{host.removesuffix(own)}" if host else origin


def fixed_files(
    deployment: ModelDeployment, model: ModelStatus, settings: Settings
) -> dict[str, str]:
    """Return the files that do not change in a pod's life, by name."""
    smoke = deployment.spec.rollout.smoke
    return {
        names.ENVOY_FILE: envoy.to_text(envoy.bootstrap(bootstrap(deployment, model, settings))),
        **runtimes.of(deployment).files(deployment, model),
        **({names.SMOKE_FILE: _smoke_text(smoke)} if smoke else {}),
    }


def _smoke_text(smoke: SmokeTest) -> str:
    """Return the file of `slipway_pods.serve.smoke`."""
    request = {"request": smoke.request, "tolerance": float(smoke.tolerance or 0)}
    whole = request if smoke.expected is None else {**request, "expected": smoke.expected}
    return json.dumps(whole, sort_keys=True)


def route_files(config: envoy.ProxyConfig, split: envoy.Split = envoy.ALONE) -> dict[str, str]:
    """Return the files that Envoy reads anew when they change, by name."""
    return {names.ROUTES_FILE: envoy.to_text(envoy.route_file(config, split))}
