"""The chart's network policies where something enforces them."""

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from dev import release
from dev.images import product
from tests.cluster import toy
from tests.cluster.conftest import fresh_space
from tests.cluster.support import Space, source, training_job
from tests.cluster.test_release import helm
from tests.harness import Cluster, KubectlError, Object
from tests.harness.policies import enforced_policies
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.long]

STORE_PORT, SECURE_PORT, METRICS_PORT = 7480, 7443, 8080
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
SCAN = """
import socket, sys, time
from concurrent.futures import ThreadPoolExecutor

def reach(target):
    host, _, port = target.rpartition(":")
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=3).close()
        except OSError:
            time.sleep(0.5)
        else:
            return target
    return ""

with ThreadPoolExecutor(len(sys.argv)) as pool:
    print("reached", *filter(None, pool.map(reach, sys.argv[1:])))
"""
"""Tries all targets for a while, and tells which of them it reached."""
GROUP = """
import os, socket, threading, time

def accept(server):
    while True:
        server.accept()[0].close()

for port in (29400, 29500, 45678):
    server = socket.create_server(("", port))
    threading.Thread(target=accept, args=[server], daemon=True).start()
time.sleep(3600)
"""
"""Listens where torchrun and the collectives of a group do."""
TARGETS = {
    "the rendezvous": ("group", 29400),
    "the group's own store": ("group", 29500),
    "a port of the collectives": ("group", 45678),
    "the agent's metrics": ("group", 9400),
    "a model": ("model", 8000),
    "Envoy's metrics": ("model", 9000),
    "Envoy's administration": ("model", 9901),
    "TorchServe's inference": ("model", 8080),
    "TorchServe's management": ("model", 8081),
    "TorchServe's metrics": ("model", 8082),
    "TorchServe's gRPC": ("model", 7070),
    "TorchServe's management by gRPC": ("model", 7071),
    "a model that names its clients": ("narrow", 8000),
    "its Envoy's metrics": ("narrow", 9000),
    "the operator": ("operator", METRICS_PORT),
    "the store": ("store", SECURE_PORT),
    "the store without TLS": ("store", STORE_PORT),
    "the store's metrics": ("store", 7481),
    "DNS": ("dns", 53),
}
"""What is tried, by names: whose port, and which."""
EVERYWHERE = {"a model", "DNS"}
STORE = {"the store", "the store without TLS"}
METRICS = {"the agent's metrics", "Envoy's metrics", "its Envoy's metrics"}
REACHED: dict[str, set[str]] = {
    "a stranger": EVERYWHERE,
    "a stranger with all labels of the group": EVERYWHERE | STORE,
    "a pod without rights in the namespace": EVERYWHERE,
    "a named client": {*EVERYWHERE, "a model that names its clients"},
    "monitoring": {*EVERYWHERE, *METRICS, "the operator", "the store's metrics"},
    "the group's second pod": {
        *EVERYWHERE,
        *("the rendezvous", "the group's own store", "a port of the collectives"),
        *("the agent's metrics", *STORE),
    },
    "the operator": {*EVERYWHERE, *METRICS, *STORE, "the operator"},
}
"""What each reaches. A pod always reaches itself; what the store gives, credentials say."""


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
    return _pod(name, labels, CONNECT, host, str(port))


def _pod(name: str, labels: Object, script: str, *arguments: str) -> Object:
    """Return a restricted pod that runs a script."""
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
        "command": ["python3", "-c", script, *arguments],
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


@pytest.fixture(scope="module")
def pods(guarded: Cluster, shared: Space, model: Object) -> dict[str, Object]:
    """A training of two pods and two models of one namespace, and what all namespaces share."""
    narrow = toy.deployment("narrow", model, ANSWER="narrow")
    narrow["spec"]["expose"] = {"allowedFrom": [{"podSelector": {"matchLabels": {"app": "shop"}}}]}
    shared.apply(
        source("group", main=GROUP),
        training_job("group", "group", framework="plain", nodes=2),
        toy.deployment("open", model, ANSWER="open"),
        narrow,
    )
    shared.wait_until_ready("open")
    shared.wait_until_ready("narrow")
    member = "slipway.dev/training-job=group,batch.kubernetes.io/job-completion-index={}"
    (dns,) = guarded.kubectl.list("pods", "k8s-app=kube-dns", namespace="kube-system")
    return {
        "group": _running(shared, member.format(0)),
        "second": _running(shared, member.format(1)),
        "model": _running(shared, "slipway.dev/model-deployment=open"),
        "narrow": _running(shared, "slipway.dev/model-deployment=narrow"),
        "dns": dns,
        **{name: _component(guarded, name) for name in ("operator", "store")},
    }


def _component(cluster: Cluster, name: str) -> Object:
    (pod,) = cluster.system.list("pods", f"app.kubernetes.io/component={name}")
    return pod


def _running(space: Space, selector: str) -> Object:
    """Return the pod with these labels once it runs."""

    def probe() -> Object | None:
        found = [pod for pod in space.pods(selector) if pod["status"].get("phase") == "Running"]
        return found[0] if found else None

    return wait_for(probe, 240, f"a pod with {selector} runs", space.report)


def _addresses(pods: dict[str, Object]) -> dict[str, str]:
    """Return what is tried as ``HOST:PORT``, by names."""
    hosts = {name: pod["status"]["podIP"] for name, pod in pods.items()}
    return {name: f"{hosts[whose]}:{port}" for name, (whose, port) in TARGETS.items()}


@pytest.fixture(scope="module")
def reached(guarded: Cluster, shared: Space, pods: dict[str, Object]) -> dict[str, set[str]]:
    """What each pod that tries all targets says that it reached."""
    where = _addresses(pods)
    forged = pods["group"]["metadata"]["labels"]
    with ExitStack() as stack:
        spaces = (fresh_space(guarded.kubectl, name) for name in ("strange", "watch"))
        strange, watching = map(stack.enter_context, spaces)
        guarded.kubectl.run("label", "namespace", watching.name, "slipway.dev/monitoring=true")
        visitors = {
            "a stranger": (strange, "bare", {}),
            "a stranger with all labels of the group": (strange, "forged", forged),
            "a pod without rights in the namespace": (shared, "powerless", {}),
            "a named client": (shared, "shop", {"app": "shop"}),
            "monitoring": (watching, "scraper", {}),
        }
        tries = {
            who: (space, _pod(name, labels, SCAN, *where.values()))
            for who, (space, name, labels) in visitors.items()
        }
        for space, visitor in tries.values():
            space.apply(visitor)
        said = {who: _outcome(space, visitor) for who, (space, visitor) in tries.items()}
    scan = ("--", "python3", "-c", SCAN, *where.values())
    second, operator = (pods[name]["metadata"]["name"] for name in ("second", "operator"))
    said["the group's second pod"] = shared.kubectl.run("exec", second, "-c", "trainer", *scan)
    said["the operator"] = guarded.system.run("exec", operator, *scan)
    return {
        who: {name for name, target in where.items() if target in words.split()}
        for who, words in said.items()
    }


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("who", REACHED)
def test_a_port_is_reached_by_those_whom_a_policy_names_and_by_nobody_else(
    who: str, target: str, reached: dict[str, set[str]]
) -> None:
    assert (target in reached[who]) is (target in REACHED[who])


def test_the_models_still_answer_and_the_group_still_runs(
    shared: Space, pods: dict[str, Object], reached: dict[str, set[str]]
) -> None:
    del reached
    for name in ("open", "narrow"):
        assert httpx.post(toy.target(shared, name).url, json=[1], timeout=60).text == name
    for name in ("group", "second"):
        now = shared.kubectl.get("pod", pods[name]["metadata"]["name"]) or {}
        assert now["status"]["phase"] == "Running"
        assert not any(one["restartCount"] for one in now["status"]["containerStatuses"])
