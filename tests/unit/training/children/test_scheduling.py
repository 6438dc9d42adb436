"""Where training pods may run, and what devices they claim."""

from typing import Any

from tests.unit.training.simulation import Cluster, spec


def pod(**fields: Any) -> dict[str, Any]:
    job = next(one for one in Cluster(spec(**fields)).plan().apply if one["kind"] == "Job")
    found: dict[str, Any] = job["spec"]["template"]
    return found


def test_a_job_for_itself_attracts_its_own_pods_and_repels_those_of_every_other() -> None:
    template = pod(nodes=2, exclusiveTopologyKey="rack")
    assert template["metadata"]["labels"]["slipway.dev/exclusive-to"] == "uid-1"
    affinity = template["spec"]["affinity"]
    (near,) = affinity["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (far,) = affinity["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert near["topologyKey"] == far["topologyKey"] == "rack"
    own = {"key": "slipway.dev/exclusive-to", "operator": "In", "values": ["uid-1"]}
    assert near["labelSelector"]["matchExpressions"] == [own]
    assert {**own, "operator": "NotIn"} in far["labelSelector"]["matchExpressions"]
    assert far["namespaceSelector"] == {}


def test_pods_are_spread_among_those_of_their_own_job() -> None:
    (spread,) = pod(topologySpread=[{"topologyKey": "zone"}])["spec"]["topologySpreadConstraints"]
    assert (spread["maxSkew"], spread["whenUnsatisfiable"]) == (1, "DoNotSchedule")
    assert spread["labelSelector"]["matchLabels"] == {
        "slipway.dev/training-job": "quick",
        "slipway.dev/component": "trainer",
    }


def test_every_claim_of_the_pod_is_the_scripts_containers() -> None:
    claim = {"name": "gpu", "resourceClaimTemplateName": "one-gpu"}
    found = pod(resourceClaims=[claim])["spec"]
    assert found["resourceClaims"] == [claim]
    (trainer,) = found["containers"]
    assert trainer["resources"]["claims"] == [{"name": "gpu"}]
    env = {one["name"]: one.get("value") for one in trainer["env"]}
    assert env["SLIPWAY_PROCESSES_PER_NODE"] == "auto"
    assert env["SLIPWAY_BACKEND"] == ""


def test_selectors_tolerations_and_classes_are_passed_on() -> None:
    fields = {
        "nodeSelector": {"gpu": "a100"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "priorityClassName": "high",
        "runtimeClassName": "gvisor",
    }
    found = pod(**fields)["spec"]
    assert {name: found[name] for name in fields} == fields


def test_shared_memory_is_as_large_as_asked_for() -> None:
    volumes = {one["name"]: one for one in pod(sharedMemory="8Gi")["spec"]["volumes"]}
    assert volumes["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "8Gi"}


def test_a_pod_without_wishes_has_none_of_these_fields() -> None:
    assert not {"nodeSelector", "tolerations", "affinity", "resourceClaims"} & set(pod()["spec"])
