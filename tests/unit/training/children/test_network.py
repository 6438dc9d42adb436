"""Who may reach a job's pods, and what becomes of that when policies are switched off."""

import pytest

from slipway.plan import ObjectRef
from slipway.training.planner import plan
from tests.unit.training.simulation import SETTINGS, Cluster, spec, underway

POLICY = ObjectRef("networking.k8s.io/v1", "NetworkPolicy", "default", "quick-train")
OFF = SETTINGS.model_copy(update={"network_policies": False})


@pytest.mark.parametrize("nodes", [1, 4])
def test_the_policy_is_there_before_the_pods(nodes: int) -> None:
    kinds = [made["kind"] for made in Cluster(spec(nodes=nodes)).reconcile().apply]
    assert kinds.index("NetworkPolicy") < kinds.index("Job")


def test_a_job_of_the_release_before_gets_its_policy_while_it_runs() -> None:
    cluster = underway(nodes=2)
    cluster.delete(POLICY)
    cluster.settle()
    assert POLICY in cluster.objects


def test_no_policy_is_made_where_they_are_switched_off() -> None:
    cluster = Cluster(spec(nodes=2))
    made = plan(cluster.snapshot(), OFF, cluster.now).apply
    assert [one["kind"] for one in made] == ["Secret", "Job"]


def test_a_policy_goes_when_they_are_switched_off() -> None:
    cluster = underway(nodes=2)
    made = plan(cluster.snapshot(), OFF, cluster.now)
    assert [gone.ref for gone in made.delete] == [POLICY]
    assert "NetworkPolicy" not in {one["kind"] for one in made.apply}


def test_monitoring_is_whom_the_settings_name() -> None:
    peers = ({"podSelector": {"matchLabels": {"app": "scraper"}}},)
    settings = SETTINGS.model_copy(update={"monitoring_peers": peers, "namespace": "ours"})
    cluster = Cluster(spec())
    (policy,) = (
        made
        for made in plan(cluster.snapshot(), settings, cluster.now).apply
        if made["kind"] == "NetworkPolicy"
    )
    among, metrics = policy["spec"]["ingress"]
    assert among["from"][0]["podSelector"]["matchLabels"]["slipway.dev/training-job"] == "quick"
    assert metrics["ports"] == [{"port": 9400, "protocol": "TCP"}]
    operator, monitoring = metrics["from"]
    names = {"kubernetes.io/metadata.name": "ours"}
    assert operator["namespaceSelector"] == {"matchLabels": names}
    assert monitoring == peers[0]
