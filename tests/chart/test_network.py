"""What the network policies let through is what pods really do, and nothing more.

The local cluster's network enforces no policies; so they are evaluated here, as Kubernetes words
them: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from install.generate import NAMESPACE
from slipway.controller.readers.training_progress import PORT as AGENT_PORT
from slipway.envoy import ProxyConfig
from tests.chart.rendering import Object, Release, render

GOLDEN = Path(__file__).parents[1] / "unit"
BOUNDED = {"operator": {"networkPolicy": {"egress": True}}}
"""The defaults, and what the operator itself may reach."""
STORE_PORT, SECURE_PORT, METRICS_PORT = 7480, 7443, 8080
STATUS_PORT = 7481
RENDEZVOUS, MASTER, SOME = 29400, 29500, 45678
"""Ports of a training's pods: torchrun's, torch.distributed's, and one that NCCL picked."""


@dataclass(frozen=True)
class Peer:
    """A pod, or an address outside of the cluster where it has no labels."""

    namespace: str
    labels: dict[str, str]
    ports: dict[str, int]

    @classmethod
    def of(cls, template: Object, namespace: str) -> "Peer":
        """Return the pod of a template."""
        spec = template["spec"]
        every = [*spec["containers"], *spec.get("initContainers", ())]
        ports = [port for container in every for port in container.get("ports", ())]
        named = {port["name"]: port["containerPort"] for port in ports}
        return cls(namespace, template["metadata"]["labels"], named)


def _golden(path: str, kind: str, component: str) -> Peer:
    """Return a pod that the operator makes, in a namespace of users."""
    documents = yaml.load_all((GOLDEN / path).read_text(), yaml.CSafeLoader)
    (template,) = (
        found["spec"]["template"]
        for found in documents
        if found["kind"] == kind
        and found["metadata"]["labels"]["slipway.dev/component"] == component
    )
    return Peer.of(template, _TEAM)


_TEAM, _OTHERS = "default", "others"
"""The namespace of the users' objects, and one of somebody else's."""


def _policies(path: str, namespace: str = _TEAM) -> list[Object]:
    """Return the policies that the operator makes with an object."""
    documents = yaml.load_all((GOLDEN / path).read_text(), yaml.CSafeLoader)
    found = [each for each in documents if each["kind"] == "NetworkPolicy"]
    for each in found:
        each["metadata"]["namespace"] = namespace
    return found


@pytest.fixture(scope="module")
def release() -> Release:
    return render(BOUNDED)


@pytest.fixture(scope="module")
def policies(release: Release) -> list[Object]:
    """All policies of a cluster with the release, a training and two deployments."""
    return [
        *release.of("NetworkPolicy"),
        *_policies("training/golden/package.yaml"),
        *_policies("serving/golden/defaults.yaml"),
        *_policies("serving/golden/everything.yaml", "narrow"),
    ]


@pytest.fixture(scope="module")
def peers(release: Release) -> dict[str, Peer]:
    operator = release.one("Deployment", "slipway")["spec"]["template"]
    store = release.one("StatefulSet", "slipway-store")["spec"]["template"]
    return {
        "operator": Peer.of(operator, NAMESPACE),
        "store": Peer.of(store, NAMESPACE),
        "trainer": _golden("training/golden/package.yaml", "Job", "trainer"),
        "packager": _golden("training/golden/package.yaml", "Job", "packager"),
        "server": _golden("serving/golden/defaults.yaml", "Deployment", "server"),
        "narrow server": replace(
            _golden("serving/golden/everything.yaml", "Deployment", "server"), namespace="narrow"
        ),
        "gateway": Peer("ingress", {"app": "gateway"}, {}),
        "twin": replace(
            _golden("training/golden/package.yaml", "Job", "trainer"), namespace=_OTHERS
        ),
        "prometheus": Peer("monitoring", {"app": "prometheus"}, {}),
        "somebody": Peer(_TEAM, {"app": "notebook"}, {"http": 8080}),
        "stranger": Peer(_OTHERS, {"app.kubernetes.io/managed-by": "slipway"}, {"http": 8080}),
        "neighbour": Peer(NAMESPACE, {"app": "notebook"}, {"http": 8080}),
        "api server": Peer("", {}, {}),
        "internet": Peer("", {}, {}),
        "dns": Peer("kube-system", {"k8s-app": "kube-dns"}, {}),
    }


def _selects(selector: Object | None, labels: dict[str, str]) -> bool:
    if selector is None:
        return False
    assert selector.keys() <= {"matchLabels"}
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def _is_meant(peer: Object, found: Peer, policy_namespace: str) -> bool:
    """Tell whether an entry of ``from`` or ``to`` means a pod; an address is none of theirs."""
    if "ipBlock" in peer:
        return False
    assert peer.keys() <= {"podSelector", "namespaceSelector"}
    if "namespaceSelector" in peer:
        name = {"kubernetes.io/metadata.name": found.namespace}
        there = bool(found.namespace) and _selects(peer["namespaceSelector"], name)
    else:
        there = found.namespace == policy_namespace
    return there and _selects(peer.get("podSelector", {}), found.labels)


def _allows(
    place: tuple[str, Object], side: str, other: Peer, target: Peer, port: int, protocol: str
) -> bool:
    namespace, rule = place
    ports = rule.get("ports")
    fits = ports is None or any(
        each.get("protocol", "TCP") == protocol
        and (target.ports.get(each["port"]) if isinstance(each["port"], str) else each["port"])
        == port
        for each in ports
    )
    return fits and (side not in rule or any(_is_meant(p, other, namespace) for p in rule[side]))


def _passes(
    policies: list[Object], source: Peer, target: Peer, port: int, protocol: str = "TCP"
) -> bool:
    """Tell whether all policies that select one of the two pods let a connection through."""
    for kind, mine, other, side in (
        ("Egress", source, target, "to"),
        ("Ingress", target, source, "from"),
    ):
        rules: list[Any] = [
            [(mine.namespace, rule) for rule in policy["spec"].get(kind.lower(), [])]
            for policy in policies
            if kind in policy["spec"]["policyTypes"]
            and mine.namespace == policy["metadata"]["namespace"]
            and _selects(policy["spec"]["podSelector"], mine.labels)
        ]
        every = [rule for found in rules for rule in found]
        if rules and not any(_allows(r, side, other, target, port, protocol) for r in every):
            return False
    return True


Peers = dict[str, Peer]
FLOWS = [
    ("operator", "dns", 53, "UDP"),
    ("operator", "dns", 53, "TCP"),
    ("operator", "api server", 443, "TCP"),
    ("operator", "api server", 6443, "TCP"),
    *(("operator", "store", port, "TCP") for port in (STORE_PORT, SECURE_PORT)),
    ("operator", "trainer", AGENT_PORT, "TCP"),
    ("operator", "server", ProxyConfig.ops_port, "TCP"),
    ("prometheus", "operator", METRICS_PORT, "TCP"),
    ("prometheus", "store", STATUS_PORT, "TCP"),
    *(("trainer", "store", port, "TCP") for port in (STORE_PORT, SECURE_PORT)),
    *(("packager", "store", port, "TCP") for port in (STORE_PORT, SECURE_PORT)),
    *(("server", "store", port, "TCP") for port in (STORE_PORT, SECURE_PORT)),
    *(("trainer", "trainer", port, "TCP") for port in (RENDEZVOUS, MASTER, SOME)),
    ("prometheus", "trainer", AGENT_PORT, "TCP"),
    ("prometheus", "server", ProxyConfig.ops_port, "TCP"),
    *(
        (who, "server", ProxyConfig.http_port, "TCP")
        for who in ("somebody", "stranger", "internet")
    ),
    ("gateway", "narrow server", ProxyConfig.http_port, "TCP"),
    ("narrow server", "narrow server", ProxyConfig.http_port, "TCP"),
]
REFUSED = [
    *(("somebody", "store", port, "TCP") for port in (STORE_PORT, SECURE_PORT)),
    *(("neighbour", "store", port, "TCP") for port in (STORE_PORT, SECURE_PORT)),
    *(("prometheus", "store", port, "TCP") for port in (STORE_PORT, SECURE_PORT)),
    ("trainer", "store", STATUS_PORT, "TCP"),
    ("trainer", "operator", METRICS_PORT + 1, "TCP"),
    ("operator", "somebody", 8080, "TCP"),
    ("operator", "neighbour", 8080, "TCP"),
    ("operator", "store", STATUS_PORT, "TCP"),
    ("operator", "internet", 80, "TCP"),
    ("operator", "api server", 10250, "TCP"),
    *(
        (who, "trainer", port, "TCP")
        for who in ("somebody", "stranger", "twin", "server", "operator", "prometheus", "internet")
        for port in (RENDEZVOUS, MASTER, SOME)
    ),
    *(("stranger", "packager", port, "TCP") for port in (AGENT_PORT, SOME)),
    *((who, "trainer", AGENT_PORT, "TCP") for who in ("somebody", "stranger", "twin", "server")),
    *((who, "server", ProxyConfig.ops_port, "TCP") for who in ("somebody", "stranger", "trainer")),
    *((who, "narrow server", ProxyConfig.http_port, "TCP") for who in ("somebody", "internet")),
    *((who, "operator", METRICS_PORT, "TCP") for who in ("somebody", "stranger", "trainer")),
]


@pytest.mark.parametrize(("source", "target", "port", "protocol"), FLOWS)
def test_policies_let_through_what_pods_do(
    source: str, target: str, port: int, protocol: str, policies: list[Object], peers: Peers
) -> None:
    assert _passes(policies, peers[source], peers[target], port, protocol)


@pytest.mark.parametrize(("source", "target", "port", "protocol"), REFUSED)
def test_policies_refuse_all_else(
    source: str, target: str, port: int, protocol: str, policies: list[Object], peers: Peers
) -> None:
    assert not _passes(policies, peers[source], peers[target], port, protocol)


def test_the_ports_are_those_that_the_containers_and_services_have(
    release: Release, peers: dict[str, Peer]
) -> None:
    assert peers["operator"].ports == {"http": METRICS_PORT}
    open_ports = {"s3": STORE_PORT, "s3-tls": SECURE_PORT}
    assert peers["store"].ports == {**open_ports, "status": STATUS_PORT}
    assert peers["trainer"].ports["metrics"] == AGENT_PORT
    assert peers["server"].ports["ops"] == ProxyConfig.ops_port
    served = release.one("Service", "slipway-store")["spec"]["ports"]
    assert {port["targetPort"]: port["port"] for port in served} == open_ports


def test_without_the_policies_everything_passes(peers: dict[str, Peer]) -> None:
    bare = list(render({"networkPolicies": {"enabled": False}}).of("NetworkPolicy"))
    assert _passes(bare, peers["somebody"], peers["store"], STORE_PORT)
