"""Jobs in queues of a real Kueue, on simulated nodes: admitted, evicted, and admitted again."""

from collections.abc import Iterator

import pytest

from tests.contract.namespaces import CRDS
from tests.contract.operator import play
from tests.contract.operator.kubelet import Begin, Kubelet
from tests.contract.operator.process import grant_access
from tests.harness import Kubectl, Object, TestControlPlane
from tests.harness.control_plane import simulated_cluster
from tests.harness.kueue import kueue
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.contract, pytest.mark.long]

ONE_CPU = {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}
FLAVOR = {"slipway.dev/simulated": "small"}


@pytest.fixture(scope="module")
def control_plane() -> Iterator[TestControlPlane]:
    with simulated_cluster(2, CRDS) as plane:
        grant_access(plane)
        plane.kubectl.patch("node", "simulated-1", {"metadata": {"labels": FLAVOR}})
        with kueue(plane):
            plane.kubectl.apply(cluster_objects())
            yield plane


def cluster_objects() -> list[Object]:
    """Return a quota that one job of two pods fills, on nodes of one flavor, and two priorities."""
    quota = {"cpu": "2500m", "memory": "1Ti"}
    resources = [{"name": name, "nominalQuota": much} for name, much in quota.items()]
    flavors = [{"name": "small", "resources": resources}]
    queue = {
        "namespaceSelector": {},
        "preemption": {"withinClusterQueue": "LowerPriority"},
        "resourceGroups": [{"coveredResources": [*quota], "flavors": flavors}],
    }
    return [
        _kueues("ResourceFlavor", "small", {"nodeLabels": FLAVOR}),
        _kueues("ClusterQueue", "all", queue),
        _priority("urgent", 1000),
        _priority("whenever", 1),
    ]


def _kueues(kind: str, name: str, spec: Object) -> Object:
    api = "kueue.x-k8s.io/v1beta2"
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _priority(name: str, value: int) -> Object:
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    return {**kind, "metadata": {"name": name}, "value": value}


@pytest.fixture
def submit(begin: Begin, kubectl: Kubectl) -> Begin:
    """Create jobs of two pods in the queue of a team."""
    kubectl.create(_kueues("LocalQueue", "team", {"clusterQueue": "all"}))

    def create(name: str, **spec: object) -> Kubelet:
        return begin(name, queueName="team", resources=ONE_CPU, package=None, **spec)

    return create


def _names(job: Kubelet) -> list[str]:
    return [pod["metadata"]["name"] for pod in job.pods()]


def test_a_job_waits_in_its_queue_until_the_one_before_has_ended(submit: Begin) -> None:
    first = submit("first")
    first.phase("Running")
    second = submit("second")
    second.wait("Queued", "True:WaitingForAdmission")
    assert (second.phase("Queued")["phase"], _names(second)) == ("Queued", [])
    first.end(_names(first))
    first.phase("Succeeded")
    second.phase("Running")


def test_pods_run_where_the_queues_flavor_puts_them(submit: Begin) -> None:
    job = submit("placed")
    job.phase("Running")
    assert {pod["spec"]["nodeName"] for pod in job.pods()} == {"simulated-1"}
    template = play.wait_object(job.kubectl, "job", "placed-train")["spec"]["template"]
    assert template["spec"]["nodeSelector"] == FLAVOR


def test_a_job_gives_way_to_an_urgent_one_and_runs_again_after_it(submit: Begin) -> None:
    patient = submit("patient", priorityClassName="whenever")
    patient.phase("Running")
    urgent = submit("urgent", priorityClassName="urgent")
    urgent.phase("Running")
    patient.wait("Queued", "True:WaitingForAdmission")
    wait_for(lambda: not patient.pods(), 120, "the pods have made room", patient.report)
    urgent.end(_names(urgent))
    urgent.phase("Succeeded")
    status = patient.phase("Running")
    assert (status["attempt"], status["restarts"]) == (0, 0), "giving way is no failure"


def test_a_suspended_job_gives_its_place_to_the_next(submit: Begin) -> None:
    first = submit("first")
    first.phase("Running")
    second = submit("second")
    second.phase("Queued")
    first.change(suspend=True)
    first.phase("Suspended")
    second.phase("Running")
    first.change(suspend=False)
    first.wait("Queued", "True:WaitingForAdmission")
