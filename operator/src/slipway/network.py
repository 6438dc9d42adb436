"""Who may reach the pods of an object: its NetworkPolicy.

Nobody may but those whom a rule names; the kubelet of a pod's own node always does. Without an
address to send to, a policy restricts nothing but what comes in.
Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from collections.abc import Mapping, Sequence
from typing import Any

from slipway.api.common import OwnerLike
from slipway.manifests import child
from slipway.plan import Children, Delete, Manifest, ObjectRef
from slipway.settings import Settings

API_VERSION, KIND = "networking.k8s.io/v1", "NetworkPolicy"
NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""Label with a namespace's own name, which Kubernetes itself keeps."""
OPERATOR_LABELS = {
    "app.kubernetes.io/part-of": "slipway",
    "app.kubernetes.io/component": "operator",
}
"""Labels that the chart gives the operator's pods."""


def network_policy(
    owner: OwnerLike,
    name: str,
    component: str,
    pods: Mapping[str, str],
    rules: Sequence[Mapping[str, Any]],
) -> Manifest:
    """Return the policy of the pods with these labels: what no rule lets in is refused."""
    return {
        **child(owner, API_VERSION, KIND, name, component),
        "spec": {
            "podSelector": {"matchLabels": dict(pods)},
            "policyTypes": ["Ingress"],
            "ingress": [dict(rule) for rule in rules],
        },
    }


def pods_with(labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the peer that is the pods with these labels in the policy's own namespace."""
    return {"podSelector": {"matchLabels": dict(labels)}}


def watchers(settings: Settings) -> list[dict[str, Any]]:
    """Return the peers that may read metrics: the operator and what the chart names."""
    operator = {
        "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: settings.namespace}},
        **pods_with(OPERATOR_LABELS),
    }
    return [operator, *settings.monitoring_peers]


def tcp(port: int) -> dict[str, Any]:
    """Return a port of a rule."""
    return {"port": port, "protocol": "TCP"}


def obsolete_policy(
    owner: OwnerLike, name: str, settings: Settings, children: Children
) -> tuple[Delete, ...]:
    """Return the deletion of an object's policy where policies were switched off."""
    live = children.get(API_VERSION, KIND, owner.metadata.namespace, name)
    if settings.network_policies or live is None:
        return ()
    return (Delete(ObjectRef.of(live), live["metadata"]["uid"]),)
