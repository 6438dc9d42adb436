"""The operator's Lease where its account may not use it, or another tool deletes it."""

import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from tests.contract.operator import play
from tests.contract.operator.process import NAMESPACE, OperatorProcess
from tests.harness import Kubectl, Object, TestControlPlane
from tests.harness.waiting import wait_for

pytestmark = [
    pytest.mark.contract,
    pytest.mark.own_control_plane("the operator's rights to its Lease are taken away"),
]
Start = Callable[..., OperatorProcess]
LEASE = "slipway-operator"


@pytest.fixture
def admin(control_plane: TestControlPlane) -> Iterator[Kubectl]:
    """kubectl in the operator's namespace, where no Lease is left."""
    admin = Kubectl(control_plane.kubeconfig, NAMESPACE)
    yield admin
    admin.delete("lease", LEASE)


@pytest.fixture
def withhold(admin: Kubectl) -> Iterator[Callable[[str], None]]:
    """Take one right to Leases from the operator's account, or give all back for an empty name."""
    (role,) = [one for one in admin.list("roles") if any(map(is_of_leases, one["rules"]))]

    def without(verb: str) -> None:
        rules = [
            {**rule, "verbs": [one for one in rule["verbs"] if one != verb]}
            if is_of_leases(rule)
            else rule
            for rule in role["rules"]
        ]
        body = {"rules": [rule for rule in rules if rule["verbs"]]}
        admin.patch("role", role["metadata"]["name"], body)

    yield without
    without("")


def is_of_leases(rule: Object) -> bool:
    return "leases" in rule["resources"]


@pytest.mark.parametrize("verb", ["get", "create", "update"])
def test_a_replica_without_a_right_to_the_lease_is_unready_and_says_so_until_it_has_it(
    verb: str,
    start_operator: Start,
    withhold: Callable[[str], None],
    admin: Kubectl,
    kubectl: Kubectl,
) -> None:
    if verb == "update":
        head = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        admin.create({**head, "metadata": {"name": LEASE}, "spec": {}})
    withhold(verb)
    begun = time.monotonic()
    operator = start_operator()
    kubectl.create([play.source(), play.training_job()])
    words = f"cannot {verb} resource"

    def told() -> bool:
        answer = operator.get("/readyz")
        return answer is not None and answer.status_code == 503 and words in answer.text

    wait_for(told, 180, "it is told", operator.log.read_text)
    assert operator.status("/healthz") == 200, "no restart mends it"
    assert not operator.leads
    assert kubectl.get("job", "job-train") is None
    logged = [line for line in operator.log.read_text().splitlines() if words in line]
    assert 1 <= len(logged) <= 1 + (time.monotonic() - begun) / 60, logged
    withhold("")
    wait_for(lambda: operator.leads, 120, "it leads", operator.log.read_text)
    play.wait_object(kubectl, "job", "job-train")
    assert operator.status("/readyz") == 200


def test_a_replica_that_could_not_take_the_lease_over_is_unready_and_says_so_until_it_could(
    start_operator: Start, withhold: Callable[[str], None], admin: Kubectl
) -> None:
    head = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEASE}}
    admin.create({**head, "spec": {"holderIdentity": "other", "leaseDurationSeconds": 15}})
    words = "it may not update the Lease slipway-operator"

    def renew() -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        admin.patch("lease", LEASE, {"spec": {"renewTime": now}})

    def told() -> bool:
        renew()
        answer = operator.get("/readyz")
        return answer is not None and answer.status_code == 503 and words in answer.text

    def ready() -> bool:
        renew()
        return operator.status("/readyz") == 200

    withhold("update")
    operator = start_operator()
    wait_for(told, 180, "it is told", operator.log.read_text)
    assert operator.status("/healthz") == 200, "no restart mends it"
    logged = [line for line in operator.log.read_text().splitlines() if words in line]
    assert logged
    assert all('"level": "warning"' in line for line in logged)
    withhold("")
    wait_for(ready, 180, "it is ready", operator.log.read_text)
    assert not operator.leads


def test_a_leader_that_loses_the_right_to_renew_its_lease_says_so_and_ends(
    start_operator: Start, withhold: Callable[[str], None]
) -> None:
    operator = start_operator()
    operator.wait_until_leading()
    withhold("update")
    assert operator.process.wait(180) == 1
    lines = operator.log.read_text().splitlines()
    logged = [line for line in lines if "cannot update resource" in line]
    assert 1 <= len(logged) <= 3, logged
    assert any("Leadership was lost" in line or "The Lease ran out" in line for line in lines)


def test_a_lease_that_another_tool_deletes_is_made_anew_and_its_leader_goes_on(
    start_operator: Start, admin: Kubectl, kubectl: Kubectl
) -> None:
    operator = start_operator()
    operator.wait_until_leading()
    before = admin.get("lease", LEASE)
    assert before
    admin.delete("lease", LEASE)

    def anew() -> Object | None:
        found = admin.get("lease", LEASE)
        return found if found and found["metadata"]["uid"] != before["metadata"]["uid"] else None

    lease = wait_for(anew, 120, "there is a Lease again", operator.log.read_text)
    assert lease["spec"]["holderIdentity"] == before["spec"]["holderIdentity"]
    assert lease["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]
    kubectl.create([play.source(), play.training_job()])
    play.wait_object(kubectl, "job", "job-train")
    assert operator.leads
    assert operator.status("/readyz") == 200


def test_a_leader_whose_deleted_lease_another_one_made_anew_ends_and_that_one_acts(
    start_operator: Start, admin: Kubectl, kubectl: Kubectl
) -> None:
    first = start_operator()
    first.wait_until_leading()
    second = start_operator()
    second.wait_until_ready()
    first.process.send_signal(signal.SIGSTOP)
    try:
        admin.delete("lease", LEASE)
        wait_for(lambda: second.leads, 120, "the other one leads", second.log.read_text)
    finally:
        first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(180) == 1
    log = first.log.read_text()
    assert "Leadership was lost" in log or "The Lease ran out" in log
    kubectl.create([play.source(), play.training_job()])
    play.wait_object(kubectl, "job", "job-train")
    assert second.leads
    assert second.status("/readyz") == 200
