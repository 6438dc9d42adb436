"""Servers of users' own, whose images know nothing of Slipway, behind its door."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from dev.images import buildah, node, product, system
from dev.shell import run
from tests.cluster.load import steady_load
from tests.cluster.rollouts import at_pause, candidate, go_on, request, rollout, stable
from tests.cluster.support import ROOT, SERVE, Space, address, model_deployment, phase
from tests.harness import Object
from tests.harness.cluster import Cluster
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.cluster

IRISES = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
CANARY = {
    "strategy": "Canary",
    "canary": {"steps": [{"setWeight": 50}, {"pause": {}}]},
    "scaleDownDelaySeconds": 5,
}
RATE = 20


def loaded(name: str) -> product.Image:
    """Return the image of an example, which the node has."""
    image = product.ensure_example(name)
    node.load([image.reference])
    return image


def trained(image: product.Image, folder: Path, name: str) -> bytes:
    """Return the model that an example's own script makes in its image."""
    with buildah.container(image.reference, folder) as enter:
        run(*enter(("/venv/bin/python", "/app/train.py", str(folder / name))))
    return (folder / name).read_bytes()


def stored(cluster: Cluster, name: str, content: bytes) -> Object:
    """Put a file into the store; return it as a ModelDeployment names it."""
    digest = hashlib.sha256(content).hexdigest()
    path = f"slipway/shared/tests/{digest[:16]}/{name}"
    with cluster.store() as store:
        store.pipe_file(path, content)
    return {"uri": f"s3://{path}", "sha256": digest}


def own(name: str, model: Object, container: Object, **spec: Any) -> Object:
    """Return a ModelDeployment with two pods of a container."""
    made = model_deployment(name, model, replicas=2, **spec)
    made["spec"]["server"] |= {"runtime": "Container", "container": container, "drainSeconds": 20}
    made["spec"]["server"]["resources"]["requests"]["memory"] = "128Mi"
    return made


def version(container: Object, number: int) -> Object:
    return {**container, "env": [*container.get("env", ()), {"name": "RUN", "value": f"{number}"}]}


def goes_through_a_canary_a_rollback_and_a_drain(
    space: Space, model: Object, container: Object, body: Any, **spec: Any
) -> None:
    """Have a server replaced, another one refused, and a pod deleted, and lose no request."""
    space.apply(own("web", model, container, rollout=CANARY, **spec))
    space.wait_until_ready("web")
    url = f"{address(space, 'web')}/predict"
    answer = httpx.post(url, json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    with steady_load(url, body, RATE) as account:
        wait_for(lambda: account.total > RATE, 120, "the load has begun", space.report)
        replaced(space, own("web", model, version(container, 2), rollout=CANARY, **spec))
        refused(space, own("web", model, version(container, 3), rollout=CANARY, **spec))
        drained(space, "web")
    assert account.lost == {}, (account.total, space.report())
    assert httpx.post(url, json=body, timeout=60).content == answer.content
    assert failed_hooks(space) == []


def replaced(space: Space, changed: Object) -> None:
    before = stable(space.deployment("web"))
    space.apply(changed)
    half = space.wait("mdep", "web", lambda it: at_pause(it, 50), SERVE)
    assert candidate(half)["revision"] != before
    go_on(space, "web")
    space.wait("mdep", "web", lambda it: stable(it) != before and not candidate(it), SERVE)


def refused(space: Space, changed: Object) -> None:
    before = stable(space.deployment("web"))
    space.apply(changed)
    half = space.wait("mdep", "web", lambda it: at_pause(it, 50), SERVE)
    request(space, "web", "abort", candidate(half)["revision"])
    space.wait("mdep", "web", lambda it: "failed" in rollout(it) and not candidate(it), SERVE)
    assert stable(space.deployment("web")) == before


def drained(space: Space, name: str) -> None:
    """Delete one of the pods that serve, and wait until it is gone and replaced."""
    selector = f"slipway.dev/model-deployment={name}"
    wait_for(lambda: len(space.pods(selector)) == 2, SERVE, "two pods are left", space.report)
    gone = space.pods(selector)[0]["metadata"]
    space.kubectl.run("delete", "pod", gone["name"], "--wait=false")

    def replaced() -> bool:
        pods = space.pods(selector)
        return len(pods) == 2 and gone["uid"] not in {one["metadata"]["uid"] for one in pods}

    wait_for(replaced, SERVE, "the pod is gone", space.report)


def failed_hooks(space: Space) -> Sequence[str]:
    events = space.kubectl.list("events")
    return [one["message"] for one in events if one["reason"] == "FailedPreStopHook"]


@pytest.mark.long
def test_a_flask_app_with_a_pickled_model_is_replaced_rolled_back_and_drained(
    cluster: Cluster, space: Space, tmp_path: Path
) -> None:
    image = loaded("flask")
    model = stored(cluster, "model.pkl", trained(image, tmp_path, "model.pkl"))
    container = {"image": image.reference, "readiness": {"path": "/healthz"}}
    goes_through_a_canary_a_rollback_and_a_drain(space, model, container, IRISES)
    made = httpx.post(f"{address(space, 'web')}/predict", json=IRISES, timeout=60)
    assert made.json() == [0, 2]
    health = httpx.get(f"{address(space, 'web')}/healthz", timeout=60)
    assert (health.status_code, health.text) == (200, "ok")


COREFILE = b". {\n    health :8080\n    prometheus :9153\n}\n"


def test_a_pod_whose_image_is_one_program_without_a_shell_is_drained(
    cluster: Cluster, space: Space
) -> None:
    image = system.images()["coredns"].reference
    container = {
        "image": image,
        "args": ["-conf=/mnt/models/Corefile", "-dns.port=5353"],
        "predictPath": "/health",
        "paths": ["/none"],
        "metricsPath": "/metrics",
        "metricsPort": 9153,
    }
    space.apply(own("web", stored(cluster, "Corefile", COREFILE), container))
    space.wait_until_ready("web")
    url = f"{address(space, 'web')}/predict"
    with steady_load(url, [1], RATE) as account:
        wait_for(lambda: account.total > RATE, 120, "the load has begun", space.report)
        drained(space, "web")
    assert account.lost == {}, (account.total, space.report())
    assert failed_hooks(space) == []
    assert httpx.get(f"{address(space, 'web')}/health", timeout=60).status_code == 404


@pytest.mark.parametrize(
    ("expected", "reason"), [([0, 2], "RolloutComplete"), ([2, 0], "SmokeTestFailed")]
)
def test_a_model_of_a_users_server_has_to_pass_its_smoke_test(
    cluster: Cluster, space: Space, tmp_path: Path, expected: list[int], reason: str
) -> None:
    image = loaded("flask")
    model = stored(cluster, "model.pkl", trained(image, tmp_path, "model.pkl"))
    container = {"image": image.reference, "readiness": {"path": "/healthz"}}
    smoke = {"smoke": {"request": IRISES, "expected": expected}}
    space.apply(own("web", model, container, rollout=smoke))
    space.wait_for_reason("mdep", "web", "Progressing", reason, SERVE)


@pytest.mark.long
def test_a_django_app_is_replaced_rolled_back_and_drained(
    cluster: Cluster, space: Space, tmp_path: Path
) -> None:
    model = stored(cluster, "model.pkl", trained(loaded("flask"), tmp_path, "model.pkl"))
    container = {
        "image": loaded("django").reference,
        "predictPath": "/api/predict",
        "readiness": {"path": "/healthz"},
    }
    goes_through_a_canary_a_rollback_and_a_drain(space, model, container, IRISES)


@pytest.mark.long
@pytest.mark.parametrize("framework", ["keras", "tensorflow"])
def test_a_model_that_a_framework_trained_and_saved_is_replaced_rolled_back_and_drained(
    space: Space, framework: str
) -> None:
    image, folder = loaded("keras").reference, ROOT / "examples" / framework
    programs = [folder / name for name in ("train.py", "serve.py")]
    source = [f"--from-file={file}" for file in programs if file.exists()]
    space.kubectl.run("create", "configmap", "line-source", *source)
    job = yaml.safe_load((folder / "trainingjob.yaml").read_text())
    job["spec"]["image"] = image
    space.apply(job)
    found = space.wait_for_phase("line", "Succeeded", "Failed")
    assert phase(found) == "Succeeded", space.report()
    served = yaml.safe_load((folder / "modeldeployment.yaml").read_text())["spec"]
    container = {**served["server"]["container"], "image": image}
    body = [[0.5], [-1.0]]
    goes_through_a_canary_a_rollback_and_a_drain(space, served["model"], container, body)
    made = httpx.post(f"{address(space, 'web')}/predict", json=body, timeout=60).json()
    assert made == [[pytest.approx(2.0, abs=0.1)], [pytest.approx(-1.0, abs=0.1)]]
