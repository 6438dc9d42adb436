"""Who may reach a deployment's pods: its model whom the spec lets, its metrics monitoring alone."""

from typing import Any

from slipway.api import ModelDeployment
from slipway.api.fields.network import Peer
from slipway.manifests import COMPONENT, MODEL_DEPLOYMENT
from slipway.network import network_policy, obsolete_policy, pods_with, tcp, watchers
from slipway.plan import Children, Delete, Manifest
from slipway.serving.children import names
from slipway.settings import Settings


def deployment_policy(deployment: ModelDeployment, settings: Settings) -> tuple[Manifest, ...]:
    """Return the policy of the pods of both slots; none where policies are switched off.

    They always reach each other's door, since Envoy splits the traffic between the slots.
    """
    if not settings.network_policies:
        return ()
    mine = {MODEL_DEPLOYMENT: deployment.metadata.name, COMPONENT: names.SERVER}
    rules = (
        _door(deployment, mine),
        {"from": watchers(settings), "ports": [tcp(names.OPS_PORT)]},
    )
    return (network_policy(deployment, deployment.metadata.name, names.SERVER, mine, rules),)


def obsolete(
    deployment: ModelDeployment, settings: Settings, children: Children
) -> tuple[Delete, ...]:
    """Return the deletion of a policy that was switched off."""
    return obsolete_policy(deployment, deployment.metadata.name, settings, children)


def _door(deployment: ModelDeployment, mine: dict[str, str]) -> dict[str, Any]:
    door: dict[str, Any] = {"ports": [tcp(names.HTTP_PORT)]}
    allowed = deployment.spec.expose.allowed_from
    if not allowed:
        return door
    return {"from": [pods_with(mine), *(_peer(peer) for peer in allowed)], **door}


def _peer(peer: Peer) -> dict[str, Any]:
    """Return a peer as Kubernetes keeps it, without the objects and lists in it that are empty."""
    parts = {
        "podSelector": peer.pod_selector,
        "namespaceSelector": peer.namespace_selector,
        "ipBlock": peer.ip_block,
    }
    return {name: _filled(part.to_wire()) for name, part in parts.items() if part is not None}


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        pairs = ((key, _filled(inner)) for key, inner in value.items())
        return {key: inner for key, inner in pairs if inner not in ({}, [])}
    return [_filled(inner) for inner in value] if isinstance(value, list) else value
