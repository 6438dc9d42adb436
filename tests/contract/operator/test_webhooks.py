"""Admission webhooks that rewrite children, or refuse them at random: no storm, and no end."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.contract.namespaces import new_namespace
from tests.contract.operator import play
from tests.contract.operator.process import ACCOUNT, NAMESPACE, OperatorProcess
from tests.contract.operator.test_asks_and_ends import pod_groups
from tests.harness import AuditLog, Kubectl, KubectlError, Object, TestControlPlane
from tests.harness.audit import service_account
from tests.harness.waiting import wait_for
from tests.harness.webhook import admission_webhook

pytestmark = [
    pytest.mark.contract,
    pytest.mark.own_control_plane("it has a kind more and webhooks"),
]
USER = service_account(NAMESPACE, ACCOUNT)
NAME = "app.kubernetes.io/name"
CHILDREN = (
    "service",
    "configmap",
    "deployment",
    "horizontalpodautoscaler",
    "poddisruptionbudget",
    "networkpolicy",
    "job",
    "workload",
    "podgroup.scheduling.x-k8s.io",
)
OWNERS = (("trainingjob", "job"), ("trainingjob", "coscheduled"), ("modeldeployment", "model"))
SLOW_SECONDS = 20.0
"""How long a slow webhook takes."""
MOST_TRIES = 6
"""How often a slow webhook may be asked about objects of one kind."""
SLOW_JOBS = 6
"""More jobs than the operator has workers."""
OTHERS_SECONDS = 20.0
"""Within so long an object of another namespace has its children, on a busy machine."""
GIVEN_UP_SECONDS = 27.0
"""What takes longer the API server may have given up: it waits for 30 seconds."""
OURS = "app.kubernetes.io/managed-by=slipway"


def rewrite(obj: Object) -> list[Object]:
    """Change a label that the operator sets on every child, and images as a mirror does."""
    labels = obj["metadata"].get("labels") or {}
    if NAME not in labels:
        return []
    path = f"/metadata/labels/{NAME.replace('/', '~1')}"
    changed = [{"op": "replace", "path": path, "value": "rewritten"}]
    if obj["kind"] == "Deployment":
        for number, container in enumerate(obj["spec"]["template"]["spec"]["containers"]):
            image = f"mirror/{container['image'].removeprefix('mirror/')}"
            place = f"/spec/template/spec/containers/{number}/image"
            changed.append({"op": "replace", "path": place, "value": image})
    return changed


class Refusing:
    """Refuses a third of what comes, in an order that is the same each time."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self._chance = random.Random(7)  # noqa: S311 - it is to be the same each time

    def __call__(self, obj: Object) -> str | list[Object]:
        if self._chance.random() > 1 / 3:
            return rewrite(obj)
        self.refused[obj["kind"]] += 1
        return "not this time"


def create(kubectl: Kubectl) -> None:
    """Create two gang jobs and a deployment: what they make is of all kinds."""
    gangs = (
        play.training_job(gang="Workload"),
        play.training_job("coscheduled", gang="Coscheduling"),
    )
    kubectl.create([play.source(), *gangs, play.model_deployment()])


def kinds(kubectl: Kubectl) -> set[str]:
    """Return the kinds of which the operator has made something."""
    return {kind for kind in CHILDREN if kubectl.list(kind, OURS)}


def writes(audit: AuditLog, namespace: str) -> list[str]:
    """Return the operator's writes of children in a namespace."""
    requests = (one for one in audit.requests(USER) if one.namespace == namespace)
    return [
        f"{one.verb} {one.resource}"
        for one in requests
        if one.is_write and not one.resource.endswith("/status") and one.resource != "events"
    ]


def look_again(kubectl: Kubectl, operator: OperatorProcess) -> None:
    """Have the operator look at both objects once more."""
    reconciles = operator.metric("slipway_reconcile_total")
    for kind, name in OWNERS:
        kubectl.run("annotate", "--overwrite", kind, name, f"example.com/look={reconciles}")
    looked = reconciles + len(OWNERS)
    wait_for(lambda: operator.metric("slipway_reconcile_total") >= looked, 120, "it has looked")


def at_rest(kubectl: Kubectl, operator: OperatorProcess, audit: AuditLog) -> bool:
    """Tell whether nothing is written when the operator looks again."""
    audit.mark()
    look_again(kubectl, operator)
    return not writes(audit, kubectl.namespace)


@pytest.fixture(autouse=True)
def kind_of_coscheduling(control_plane: TestControlPlane) -> None:
    """Have the kind of the scheduler plugin, which nobody cares for here."""
    control_plane.kubectl.apply(pod_groups("scheduling.x-k8s.io", "v1alpha1"))

    def is_served() -> bool:
        """Tell whether the API server has made room for objects of it, which takes a moment."""
        with contextlib.suppress(KubectlError):
            control_plane.kubectl.list("podgroup.scheduling.x-k8s.io")
            return True
        return False

    wait_for(is_served, 120, "pod groups are served")


@pytest.fixture
def hooked(
    control_plane: TestControlPlane, kubectl: Kubectl
) -> Iterator[Callable[[Callable[[Object], str | list[Object]]], None]]:
    """Put a webhook before the namespace's children for the rest of the test."""
    hooks = []

    def put(admit: Callable[[Object], str | list[Object]]) -> None:
        hook = admission_webhook(control_plane, kubectl.namespace, admit)
        hook.__enter__()
        hooks.append(hook)

    yield put
    for hook in hooks:
        hook.__exit__(None, None, None)


def test_what_a_webhook_rewrites_is_written_once_and_then_left_alone(
    operator: OperatorProcess,
    kubectl: Kubectl,
    control_plane: TestControlPlane,
    hooked: Callable[..., None],
) -> None:
    hooked(rewrite)
    audit = control_plane.audit()
    create(kubectl)
    wait_for(lambda: kinds(kubectl) == set(CHILDREN), 180, "all children are made")
    wait_for(lambda: at_rest(kubectl, operator, audit), 240, "nothing is written any more")
    audit.mark()
    for _ in range(3):
        look_again(kubectl, operator)
    assert writes(audit, kubectl.namespace) == []
    names = [one["metadata"]["labels"][NAME] for one in kubectl.list("service", OURS)]
    assert set(names) == {"rewritten"}


def test_what_a_webhook_refuses_at_random_is_made_in_the_end(
    operator: OperatorProcess,
    kubectl: Kubectl,
    control_plane: TestControlPlane,
    hooked: Callable[..., None],
) -> None:
    refusing = Refusing()
    hooked(refusing)
    audit = control_plane.audit()
    create(kubectl)
    wait_for(lambda: kinds(kubectl) == set(CHILDREN), 240, "all children are made")
    assert refusing.refused
    wait_for(lambda: at_rest(kubectl, operator, audit), 300, "nothing is written any more")
    assert sum(refusing.refused.values()) < 60
    for kind, name in OWNERS:
        live = kubectl.get(kind, name) or {}
        conditions = {one["type"] for one in live["status"]["conditions"]}
        assert "Stalled" not in conditions


def test_a_webhook_that_fails_is_told_on_the_object_until_it_answers(
    operator: OperatorProcess, kubectl: Kubectl, hooked: Callable[..., None]
) -> None:
    fails = threading.Event()
    fails.set()

    def admit(obj: Object) -> list[Object]:
        if obj["kind"] == "Job" and fails.is_set():
            raise ConnectionError("This webhook closes the connection without an answer.")
        return []

    def stalled() -> Object:
        status = (kubectl.get("trainingjob", "job") or {}).get("status") or {}
        found = (one for one in status.get("conditions") or () if one["type"] == "Stalled")
        return next(found, {})

    hooked(admit)
    kubectl.create([play.source(), play.training_job()])
    wait_for(stalled, 180, "it is told", operator.log.read_text)
    assert stalled()["reason"] == "WebhookFailed"
    assert "rewrite.example.com" in stalled()["message"]
    fails.clear()
    wait_for(lambda: kubectl.get("job", "job-train"), 240, "the Job is made")
    wait_for(lambda: not stalled(), 180, "nothing is told any more")


def test_a_webhook_of_twenty_seconds_in_one_namespace_delays_no_other(
    operator: OperatorProcess,
    kubectl: Kubectl,
    control_plane: TestControlPlane,
    hooked: Callable[..., None],
) -> None:
    asked: Counter[str] = Counter()

    def slowly(obj: Object) -> list[Object]:
        if obj["kind"] == "Job":
            name, begun = obj["metadata"]["name"], time.monotonic()
            asked[name] += 1
            time.sleep(SLOW_SECONDS)
            if time.monotonic() - begun > GIVEN_UP_SECONDS:  # so that it is asked again
                asked[name] -= 1
        return []

    hooked(slowly)
    other = new_namespace(control_plane.kubectl, f"other-{kubectl.namespace}")
    kubectl.create(play.source())

    def longest(turn: int) -> float:
        """Return how long one of three of others' objects waits beside jobs that are held up."""
        names, known, times = [f"job-{turn}-{n}" for n in range(SLOW_JOBS)], len(asked), [0.0]
        kubectl.create([play.training_job(name) for name in names])
        wait_for(lambda: len(asked) >= known + 4, 120, "it is asked", operator.log.read_text)
        for number in range(3):
            begun, name = time.monotonic(), f"model-{turn}-{number}"
            other.create(play.model_deployment(name))
            for kind in ("service", "deployment", "horizontalpodautoscaler"):
                play.wait_object(other, kind, name)
            times.append(time.monotonic() - begun)

        def made() -> bool:
            return all(kubectl.get("job", f"{name}-train") for name in names)

        wait_for(made, 400, "all jobs are made", lambda: f"{asked}")
        return max(times)

    # The machine itself may stand still for as long as the webhook: it is looked at again then.
    assert any(longest(turn) < OTHERS_SECONDS for turn in range(3))
    assert operator.status("/healthz") == 200
    wait_for(lambda: operator.status("/readyz") == 200, 120, "it is ready", operator.log.read_text)
    assert max(asked.values()) == 1, "what is slow is not asked twice"
    other.delete_all("mdep")


@pytest.mark.long
def test_a_webhook_that_takes_twenty_seconds_delays_what_is_made_and_prevents_nothing(
    operator: OperatorProcess, kubectl: Kubectl, hooked: Callable[..., None]
) -> None:
    asked: Counter[str] = Counter()

    def slowly(obj: Object) -> list[Object]:
        asked[obj["kind"]] += 1
        time.sleep(SLOW_SECONDS)
        return []

    hooked(slowly)
    kubectl.create([play.source(), play.training_job(), play.model_deployment()])
    wanted = {"Secret", "NetworkPolicy", "Job", "ConfigMap", "Deployment", "Service"}

    def made() -> bool:
        both = (("job", "job-train"), ("deployment", "model"), ("service", "model"))
        return all(kubectl.get(*each) for each in both) and wanted <= asked.keys()

    wait_for(made, 600, "all is made", lambda: f"{asked}\n{operator.log.read_text()[-4000:]}")
    assert operator.status("/healthz") == 200
    assert max(asked.values()) <= MOST_TRIES, f"what is slow is not asked again and again: {asked}"
