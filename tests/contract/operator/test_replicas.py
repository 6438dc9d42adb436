"""Replicas, health and appetite of the operator's process."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from dev.cluster import daemon
from dev.errors import DevError
from tests.contract.operator import play
from tests.contract.operator.process import NAMESPACE, OperatorProcess
from tests.harness import Kubectl, TestControlPlane
from tests.harness.waiting import wait_for

pytestmark = [
    pytest.mark.contract,
    pytest.mark.own_control_plane("it is stopped, and its kinds are deleted"),
]
CRDS = Path(__file__).parents[3] / "crds"
Start = Callable[..., OperatorProcess]


def holder(control_plane: TestControlPlane) -> str:
    lease = control_plane.kubectl.get("lease", "slipway-operator", NAMESPACE) or {}
    return str(lease.get("spec", {}).get("holderIdentity", ""))


def leader_of(operators: list[OperatorProcess]) -> OperatorProcess | None:
    leaders = [each for each in operators if each.leads]
    assert len(leaders) <= 1, "two replicas lead"
    return leaders[0] if leaders else None


def test_of_two_replicas_one_acts_and_the_other_takes_over(
    start_operator: Start, kubectl: Kubectl, control_plane: TestControlPlane
) -> None:
    both = [start_operator(), start_operator()]
    for each in both:
        each.wait_until_ready()
    leader = wait_for(lambda: leader_of(both), 120, "one leads", both[0].log.read_text)
    standby = next(each for each in both if each is not leader)
    kubectl.create([play.source(), play.training_job()])
    play.wait_object(kubectl, "job", "job-train")
    assert standby.metric("slipway_api_writes_total") == 0
    assert standby.metric("slipway_cached_objects") > 0

    assert leader.terminate() == 0
    wait_for(lambda: standby.leads, 60, "the standby leads", standby.log.read_text)
    kubectl.create(play.training_job("second"))
    play.wait_object(kubectl, "job", "second-train")
    assert standby.terminate() == 0
    assert holder(control_plane) == ""
    lease = control_plane.kubectl.get("lease", "slipway-operator", NAMESPACE) or {}
    (owner,) = lease["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("ServiceAccount", "slipway")


def test_a_leader_that_dies_is_followed_once_its_lease_is_over(start_operator: Start) -> None:
    first = start_operator()
    wait_for(lambda: first.leads, 120, "it leads", first.log.read_text)
    second = start_operator()
    second.wait_until_ready()
    assert not second.leads
    first.kill()
    wait_for(lambda: second.leads, 180, "the other one leads", second.log.read_text)


def test_a_leader_that_loses_its_lease_ends(
    start_operator: Start, control_plane: TestControlPlane
) -> None:
    operator = start_operator()
    wait_for(lambda: operator.leads, 120, "it leads", operator.log.read_text)
    kubectl = control_plane.kubectl
    patch = '{"spec":{"holderIdentity":"somebody-else","leaseDurationSeconds":3600}}'
    kubectl.run(
        *("patch", "lease", "slipway-operator", "-n", NAMESPACE, "--type=merge", f"--patch={patch}")
    )
    assert operator.process.wait(180) == 1
    assert "Leadership was lost" in operator.log.read_text()
    kubectl.run("delete", "lease", "slipway-operator", "-n", NAMESPACE)


class Foreign:
    """Holds the Lease as somebody else does, in whatever words, until it is told to stop."""

    def __init__(self, kubectl: Kubectl, **spec: object) -> None:
        self._kubectl = kubectl
        self._spec = {"holderIdentity": "somebody-else", **spec}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew)
        self._renewed, self._longest = time.monotonic(), 0.0
        self._write()
        self._thread.start()

    def longest_pause(self) -> float:
        """Return for how many seconds it was not renewed at most since this was asked last."""
        found = max(self._longest, time.monotonic() - self._renewed)
        self._longest = 0.0
        return found

    def _write(self) -> None:
        meta = {"name": "slipway-operator", "namespace": NAMESPACE}
        head = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta}
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        times = {"renewTime": moment, "acquireTime": moment}
        self._kubectl.apply({**head, "spec": {**times, **self._spec}})
        now = time.monotonic()
        self._longest = max(self._longest, now - self._renewed)
        self._renewed = now

    def _renew(self) -> None:
        while not self._stopped.wait(2):
            self._write()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()


MOST_PAUSE = 10.0
"""A Lease that is not renewed for longer may soon be taken by whoever waits, in seconds."""
FOREIGN = {
    "that lasts for a year": {"leaseDurationSeconds": 365 * 86400},
    "of a long name": {"leaseDurationSeconds": 15, "holderIdentity": "x" * 100_000},
}


@pytest.mark.parametrize("spec", FOREIGN.values(), ids=[*FOREIGN])
def test_a_lease_that_somebody_else_renews_is_waited_for_and_then_taken(
    spec: dict[str, object],
    start_operator: Start,
    kubectl: Kubectl,
    control_plane: TestControlPlane,
) -> None:
    foreign = Foreign(control_plane.kubectl, **spec)
    kubectl.create(play.source())
    jobs = (f"job-{number}" for number in count())

    def waited() -> tuple[OperatorProcess, str] | None:
        """Have one wait, and wait itself again where nobody renewed the Lease: it may be taken."""
        operator, name = start_operator(), next(jobs)
        operator.wait_until_ready()
        foreign.longest_pause()
        kubectl.create(play.training_job(name))
        begun = time.monotonic()
        wait_for(lambda: time.monotonic() - begun > 20, 120, "a Lease's time has passed")
        leads, writes = operator.leads, operator.metric("slipway_api_writes_total")
        if foreign.longest_pause() > MOST_PAUSE:
            operator.end()
            return None
        assert not leads
        assert writes == 0
        assert kubectl.get("job", f"{name}-train") is None
        return operator, name

    try:
        operator, name = wait_for(waited, 600, "the Lease was renewed all the time")
        lines = operator.log.read_text().splitlines()
        waits = [one for one in lines if "This replica waits" in one]
        assert len(waits) == 1, "whom it waits for is told once"
        assert len(waits[0]) < 1000
        assert operator.status("/healthz") == operator.status("/readyz") == 200
    finally:
        foreign.stop()
    wait_for(lambda: operator.leads, 180, "it leads", operator.log.read_text)
    play.wait_object(kubectl, "job", f"{name}-train")


def test_the_watches_come_back_after_the_api_server_was_away(
    operator: OperatorProcess, kubectl: Kubectl, control_plane: TestControlPlane
) -> None:
    kubectl.create([play.source(), play.training_job("before")])
    play.wait_object(kubectl, "job", "before-train")
    _restart(control_plane)
    kubectl.create(play.training_job("after"))
    play.wait_object(kubectl, "job", "after-train")
    wait_for(lambda: operator.status("/readyz") == 200, 120, "it is ready", operator.log.read_text)
    assert operator.status("/healthz") == 200


def _restart(control_plane: TestControlPlane) -> None:
    apiserver = control_plane.plane.daemons()[1]
    process = apiserver.process
    assert process
    daemon.end([process], grace=0)
    wait_for(lambda: _started(control_plane), 240, "the API server is back")


def _started(control_plane: TestControlPlane) -> bool:
    """Start the API server; False where a client's own connection holds its port for a moment."""
    try:
        control_plane.plane.start()
    except DevError:
        return False
    return True


def test_the_operator_waits_for_its_kinds(
    start_operator: Start, control_plane: TestControlPlane
) -> None:
    admin = control_plane.kubectl
    names = ("crd/trainingjobs.slipway.dev", "crd/modeldeployments.slipway.dev")
    admin.run("delete", *names)
    operator = start_operator(SLIPWAY_LEADER_ELECTION="false")
    wait_for(
        lambda: "slipway crds" in operator.log.read_text(),
        120,
        "it says what is missing",
        operator.log.read_text,
    )
    assert operator.status("/healthz") == 200
    assert operator.status("/readyz") == 503
    admin.apply(CRDS)
    admin.wait_until_established(*names)
    operator.wait_until_ready()


def test_it_ends_within_seconds_when_it_is_told_to(operator: OperatorProcess) -> None:
    begin = time.monotonic()
    assert operator.terminate() == 0, "what did not end in 20 s would be ended with another status"
    assert time.monotonic() - begin < 60


def _share_of_a_processor(operator: OperatorProcess) -> float:
    """Return what share of a processor it uses for ten seconds."""
    before, begin = operator.cpu(), time.monotonic()
    wait_for(lambda: time.monotonic() - begin > 10, 60, "ten seconds have passed")
    return (operator.cpu() - before) / (time.monotonic() - begin)


def test_it_idles_under_120_mib_and_near_no_cpu(start_operator: Start, kubectl: Kubectl) -> None:
    operator = start_operator()
    operator.wait_until_ready()
    wait_for(lambda: operator.leads, 180, "it leads", operator.log.read_text)
    kubectl.create([play.source(), *(play.training_job(f"job-{n}") for n in range(20))])
    for number in range(20):
        play.wait_object(kubectl, "job", f"job-{number}-train")
    wait_for(lambda: operator.metric("slipway_workqueue_depth") == 0, 120, "it has nothing to do")
    wait_for(lambda: _share_of_a_processor(operator) < 0.05, 120, "it idles")
    assert operator.memory() < 120, f"{operator.memory():.0f} MiB"
