"""ModelDeployments on the cluster: what is served, when it is ready, and what is refused."""

import httpx
import pytest

from tests.cluster.attack import Target, attacking
from tests.cluster.conftest import Quickstart
from tests.cluster.support import (
    SERVE,
    Space,
    address,
    condition,
    execute,
    is_ready,
    model_deployment,
    predict,
    source,
    training_job,
)
from tests.harness import Object
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.cluster

ROW = [[59.0, 2.0, 32.1, 101.0, 157.0, 93.2, 38.0, 4.0, 4.8598, 87.0]]
"""One patient: ten raw features."""


WRITE_MODEL = """
import os, pathlib
pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"], "model.pt").write_bytes(b"x")
"""
BROKEN_HANDLER = """
class Handler:
    def initialize(self, context):
        raise RuntimeError("the vocabulary is missing")

    def handle(self, data, context):
        return [1 for _ in data]
"""
KILL_WORKERS = """
import contextlib, os, pathlib, signal
for each in pathlib.Path("/proc").glob("[0-9]*"):
    with contextlib.suppress(OSError):  # it has ended meanwhile
        words = (each / "cmdline").read_bytes().split(bytes(1))
        if any(word.endswith(b"/model_service_worker.py") for word in words):
            os.kill(int(each.name), signal.SIGKILL)
"""
PROBE_PORTS = """
import socket, sys
for port in (8000, 9000, 8080, 8081, 8082, 7070, 7071, 9901):
    with socket.socket() as it:
        it.settimeout(5)
        print(port, it.connect_ex((sys.argv[1], port)) == 0)
"""
PROBE_PATHS = """
import http.client, sys
for line in sys.argv[2:]:
    port, method, path = line.split()
    connection = http.client.HTTPConnection(sys.argv[1], int(port), timeout=60)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", "localhost")
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    print(connection.getresponse().status, line)
"""
NOT_SERVED = (
    "9000 POST /quitquitquit",
    "9000 POST /healthcheck/fail",
    "9000 GET /config_dump",
    "9000 GET /stats",
    "9000 POST /metrics",
    "9000 GET /metrics/../config_dump",
    "9000 GET /models",
    "9000 GET /models/diabetes",
    "8000 GET /models",
    "8000 DELETE /models/diabetes",
    "8000 POST /models?url=http://example.com/evil.mar",
    "8000 POST /predict/../models?url=http://example.com/evil.mar",
    "8000 GET /config_dump",
)
"""What the two open ports are asked for in vain: a port, a method and a path."""


def _ready_pods(space: Space, name: str) -> list[str]:
    pods = space.pods(f"slipway.dev/model-deployment={name}")
    return [
        pod["metadata"]["name"]
        for pod in pods
        if condition(pod, "Ready").get("status") == "True"
        and "deletionTimestamp" not in pod["metadata"]
    ]


def _pod_ip(space: Space, pod: str) -> str:
    return str((space.kubectl.get("pod", pod) or {})["status"]["podIP"])


@pytest.fixture(scope="module")
def space(shared: Space, quickstart: Quickstart) -> Space:
    """All deployments of this module, begun together; each test looks at its own."""
    package = {"serializedFile": "model.pt", "handler": "handler.py"}
    nowhere = {**quickstart.model, "uri": "s3://slipway/shared/nowhere.mar"}
    scaling = {"minReplicas": 2, "maxReplicas": 3}
    shared.apply(
        source("code", main=WRITE_MODEL, handler=BROKEN_HANDLER),
        training_job("broken", "code", package=package),
        model_deployment("steady", quickstart.model),
        model_deployment("grows", quickstart.model, autoscaling=scaling),
        model_deployment("nowhere", nowhere),
        model_deployment("early", {"trainingJob": {"name": "late"}}),
        model_deployment("broken", {"trainingJob": {"name": "broken"}}),
    )
    return shared


def _answers(url: str, code: int) -> bool:
    try:
        return httpx.get(url, timeout=60).status_code == code
    except httpx.HTTPError:
        return False


def test_a_model_is_served_from_its_uri_and_digest(space: Space, quickstart: Quickstart) -> None:
    status = space.wait_until_ready("steady")["status"]
    assert status["model"]["sha256"] == quickstart.model["sha256"]
    assert status["url"] == f"http://steady.{space.name}.svc/predict"
    name = quickstart.deployment["metadata"]["name"]
    assert predict(space, "steady", ROW) == predict(quickstart.space, name, ROW)


def test_a_deployment_waits_for_its_training_job_and_says_so(space: Space) -> None:
    reason = ("modeldeployment", "early", "ModelReady")
    waiting = space.wait_for_reason(*reason, "TrainingJobNotFound")
    assert "late" in waiting["message"]
    package = {"serializedFile": "model.pt", "handler": "handler.py"}
    late = training_job("late", "exit", package=package)
    space.apply(source("exit", main="raise SystemExit(3)"), late)
    space.wait_for_reason(*reason, "TrainingJobFailed", SERVE)


def test_an_archive_that_is_not_there_is_a_condition(space: Space) -> None:
    reason = ("modeldeployment", "nowhere", "ModelReady", "ModelNotFound")
    missing = space.wait_for_reason(*reason, SERVE)
    assert "nowhere.mar" in missing["message"]


def test_the_autoscaler_measures_cpu_and_the_budget_guards_the_pods(space: Space) -> None:
    space.wait_until_ready("grows")
    space.wait(
        "hpa", "grows", lambda it: condition(it, "ScalingActive").get("status") == "True", 300
    )
    assert 2 <= len(_ready_pods(space, "grows")) <= 3
    budget = space.kubectl.get("pdb", "grows") or {}
    assert budget["spec"]["maxUnavailable"] == 1
    space.kubectl.delete("modeldeployment", "grows")


def test_a_model_that_cannot_be_loaded_never_takes_traffic(space: Space) -> None:
    space.wait_for_phase("broken", "Succeeded")
    ready = space.wait(
        "modeldeployment",
        "broken",
        lambda it: condition(it, "Ready").get("reason") == "ModelLoadFailed",
        SERVE,
    )
    assert "the vocabulary is missing" in condition(ready, "Ready")["message"]
    assert not ready["status"].get("readyReplicas")
    assert _ready_pods(space, "broken") == []
    space.kubectl.delete("modeldeployment", "broken")


def test_the_pod_is_ready_only_while_its_worker_is(space: Space) -> None:
    space.wait_until_ready("steady")
    (pod,) = _ready_pods(space, "steady")
    url = f"http://{_pod_ip(space, pod)}:9000/readyz"
    assert httpx.get(url, timeout=60).status_code == 200

    def killed() -> bool:
        """Kill its worker, as often as it is back: on a busy machine it is before anybody looks."""
        return execute(space, pod, "torchserve", "python3", "-c", KILL_WORKERS).returncode == 0

    def told() -> Object | None:
        found = condition(space.kubectl.get("modeldeployment", "steady") or {}, "Ready")
        if found.get("reason") == "WorkerDied":
            return found
        killed()
        return None

    wait_for(lambda: killed() and _answers(url, 503), SERVE, "it is not ready alone", space.report)
    died = wait_for(told, SERVE, "it is told", space.report, interval=2.0)
    assert "it was ended by SIGKILL" in died["message"]
    wait_for(lambda: _answers(url, 200), SERVE, "it is ready with a new worker", space.report)
    wait_for(lambda: _ready_pods(space, "steady"), SERVE, "the kubelet says so too", space.report)


def test_java_starts_with_the_classes_that_the_image_keeps(space: Space) -> None:
    space.wait_until_ready("steady")
    (pod,) = _ready_pods(space, "steady")
    done = execute(space, pod, "torchserve", "grep", "-c", "torchserve.jsa", "/proc/1/maps")
    assert done.returncode == 0, "Java does without an archive of classes that does not fit it"


def test_no_other_pod_reaches_management_inference_or_admin(
    space: Space, quickstart: Quickstart
) -> None:
    name = quickstart.deployment["metadata"]["name"]
    target = _pod_ip(quickstart.space, _ready_pods(quickstart.space, name)[0])
    space.wait_until_ready("steady")
    (pod,) = _ready_pods(space, "steady")
    done = execute(space, pod, "torchserve", "python3", "-c", PROBE_PORTS, target)
    answers = dict(line.split() for line in done.stdout.splitlines())
    assert answers.pop("8000") == "True", done
    assert answers.pop("9000") == "True", done
    assert set(answers.values()) == {"False"}, answers
    asked = execute(space, pod, "torchserve", "python3", "-c", PROBE_PATHS, target, *NOT_SERVED)
    assert asked.stdout.splitlines() == [f"404 {line}" for line in NOT_SERVED], asked


def test_a_wrong_digest_is_refused_and_the_revision_before_goes_on_serving(
    space: Space, quickstart: Quickstart
) -> None:
    space.wait_until_ready("steady")
    before = predict(space, "steady", ROW)
    space.apply(model_deployment("steady", {**quickstart.model, "sha256": "0" * 64}))
    reason = ("modeldeployment", "steady", "ModelReady", "DigestMismatch")
    refused = space.wait_for_reason(*reason, SERVE)
    assert quickstart.model["sha256"] in refused["message"]
    assert predict(space, "steady", ROW) == before
    space.apply(model_deployment("steady", quickstart.model))
    space.wait_until_ready("steady")


def test_no_request_is_lost_while_a_changed_spec_rolls_the_pods(
    space: Space, quickstart: Quickstart
) -> None:
    before = space.wait_until_ready("steady")["status"]["revision"]
    old = set(_ready_pods(space, "steady"))
    target = Target(f"{address(space, 'steady')}/predict", ROW)
    with attacking(target, rate=50) as answers:
        changed = model_deployment("steady", quickstart.model)
        changed["spec"]["server"]["env"] = [{"name": "COLOUR", "value": "blue"}]
        space.apply(changed)

        def rolled() -> bool:
            now = space.deployment("steady")
            left = space.pods("slipway.dev/model-deployment=steady")
            names = {pod["metadata"]["name"] for pod in left}
            return now["status"]["revision"] != before and is_ready(now) and not names & old

        wait_for(rolled, SERVE, "the old pods are gone", space.report, 1.0)
    print(f"{answers.total} requests in {answers.seconds:.0f} s, lost: {answers.lost}")
    assert answers.lost == {}, (answers.losses, answers.refusals, space.report())
    assert answers.total > 0.9 * 50 * (max(answers.moments) - min(answers.moments))


def test_a_deployment_is_scaled_up_and_down(space: Space) -> None:
    space.wait_until_ready("steady")
    space.kubectl.run("scale", "mdep/steady", "--replicas=2")
    space.wait("mdep", "steady", lambda it: it["status"].get("readyReplicas") == 2, SERVE)
    space.kubectl.run("scale", "mdep/steady", "--replicas=1")
    space.wait("mdep", "steady", lambda it: it["status"].get("replicas") == 1, SERVE)
    space.kubectl.delete("modeldeployment", "steady")


def test_other_paths_than_the_models_are_not_found(quickstart: Quickstart) -> None:
    base = address(quickstart.space, quickstart.deployment["metadata"]["name"])
    for path in ("/models", "/metrics", "/api-description", "/"):
        answer = httpx.get(f"{base}{path}", timeout=30)
        assert answer.status_code == 404, path
        assert "/predict" in answer.text


def test_a_model_outlives_the_training_job_that_made_it(
    space: Space, quickstart: Quickstart
) -> None:
    name = quickstart.deployment["metadata"]["name"]
    served = quickstart.space
    job = quickstart.job["metadata"]["name"]
    served.kubectl.delete("trainingjob", job)
    assert predict(served, name, ROW)
    assert is_ready(served.deployment(name))
    assert served.deployment(name)["status"]["model"]["sha256"] == quickstart.model["sha256"]
