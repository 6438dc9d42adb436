"""The chart's network policies where something enforces them."""

from collections.abc import Iterator

import pytest

from dev import release
from dev.images import product
from tests.cluster.support import Space
from tests.cluster.test_release import helm
from tests.harness import Cluster, KubectlError, Object
from tests.harness.policies import enforced_policies

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.long]

STORE_PORT, METRICS_PORT = 7480, 8080
READY_PORT = 8181
"""Where CoreDNS says that it is ready."""
CONNECT = """
import socket, sys, time
deadline = time.monotonic() + 15
while True:
    try:
        socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5).close()
    except OSError as error:
        if time.monotonic() > deadline:
            sys.exit(f"no way: {error}")
        time.sleep(0.5)
    else:
        sys.exit(print("connected"))
"""
"""Tries for a while: a network knows a new pod's address a moment after the pod itself."""


@pytest.fixture(scope="module")
def guarded(cluster: Cluster) -> Iterator[Cluster]:
    """The release with its policies, on a network that enforces them."""
    more = ("--set", "operator.networkPolicy.egress=true")
    values = (*release.local_values(product.images()), *more)
    with enforced_policies(cluster):
        release.Release(cluster.kubeconfig, values).install()
        yield cluster
    release.install_locally()


def _address(cluster: Cluster, component: str) -> str:
    (pod,) = cluster.system.list("pods", f"app.kubernetes.io/component={component}")
    return str(pod["status"]["podIP"])


def _visitor(name: str, labels: Object, host: str, port: int) -> Object:
    """Return a pod that connects to an address once."""
    secure = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "visitor",
        "image": product.images()["operator"].reference,
        "imagePullPolicy": "Never",
        "command": ["python3", "-c", CONNECT, host, str(port)],
        "securityContext": secure,
    }
    meta = {"name": name, "labels": labels}
    spec = {"restartPolicy": "Never", "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _outcome(space: Space, visitor: Object) -> str:
    """Return what a visitor has to say once it has ended."""
    space.apply(visitor)
    name = visitor["metadata"]["name"]
    ended = ("Succeeded", "Failed")
    space.wait("pod", name, lambda pod: pod.get("status", {}).get("phase") in ended, 120)
    return space.kubectl.run("logs", name)


def test_a_model_is_trained_and_served_though_policies_are_enforced(guarded: Cluster) -> None:
    done = helm(guarded, "test", release.NAME, "--timeout=480s")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_store_is_reached_by_the_operators_pods_alone(guarded: Cluster, space: Space) -> None:
    store = _address(guarded, "store")
    ours = {"app.kubernetes.io/managed-by": "slipway"}
    assert "connected" in _outcome(space, _visitor("ours", ours, store, STORE_PORT))
    assert "no way" in _outcome(space, _visitor("stranger", {}, store, STORE_PORT))


def test_the_operator_is_reached_for_its_metrics_and_reaches_no_stranger(
    guarded: Cluster, space: Space
) -> None:
    operator = _address(guarded, "operator")
    assert "no way" in _outcome(space, _visitor("curious", {}, operator, METRICS_PORT))
    space.kubectl.run("label", "namespace", space.name, "slipway.dev/monitoring=true")
    assert "connected" in _outcome(space, _visitor("scraper", {}, operator, METRICS_PORT))
    (dns,) = guarded.kubectl.list("pods", "k8s-app=kube-dns", namespace="kube-system")
    there = dns["status"]["podIP"]
    assert "connected" in _outcome(space, _visitor("stranger", {}, there, READY_PORT))
    (pod,) = guarded.system.list("pods", "app.kubernetes.io/component=operator")
    connect = ("python3", "-c", CONNECT, there, str(READY_PORT))
    with pytest.raises(KubectlError, match="no way"):
        guarded.system.run("exec", pod["metadata"]["name"], "--", *connect)
