"""Where pods run, as whom and with what devices: the same fields, for both kinds."""

from typing import Any

import pytest

from slipway.api.training.status import PackagingStatus
from slipway.settings import Settings
from slipway.training.children.packaging_job import packaging_job
from slipway.training.children.training_job import training_job
from slipway.training.children.trust import Trained
from tests.unit.serving.world import World
from tests.unit.training import simulation

TERM = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [TERM]}
    }
}
PLACED: dict[str, Any] = {
    "nodeSelector": {"pool": "gpu"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": AFFINITY,
    "priorityClassName": "urgent",
    "runtimeClassName": "nvidia",
    "serviceAccountName": "identity",
    "imagePullSecrets": [{"name": "registry"}],
    "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "one-gpu"}],
}


def training_template(**fields: Any) -> dict[str, Any]:
    job = simulation.training_job(simulation.spec(**fields))
    template: dict[str, Any] = training_job(job, simulation.SETTINGS)["spec"]["template"]
    return template


def training_pod(**fields: Any) -> dict[str, Any]:
    pod: dict[str, Any] = training_template(**fields)["spec"]
    return pod


def packaging_template(settings: Settings = simulation.SETTINGS, **fields: Any) -> dict[str, Any]:
    job = simulation.training_job(simulation.spec(**fields, package=simulation.PACKAGE))
    assert job.spec.package
    trained, number = Trained("i:1"), PackagingStatus(number=1, digest="0")
    made = packaging_job(job, job.spec.package, settings, "s3://slipway/o", trained, number)
    template: dict[str, Any] = made["spec"]["template"]
    return template


def serving_template(**fields: Any) -> dict[str, Any]:
    world = World(**fields)
    (live,) = (one for one in world.plan().apply if one["kind"] == "Deployment")
    template: dict[str, Any] = live["spec"]["template"]
    return template


def serving_pod(**fields: Any) -> dict[str, Any]:
    pod: dict[str, Any] = serving_template(**fields)["spec"]
    return pod


@pytest.mark.parametrize("make", [training_pod, serving_pod])
def test_a_pod_is_placed_as_its_spec_says(make: Any) -> None:
    pod = make(**PLACED)
    assert {name: pod[name] for name in PLACED} == PLACED
    (main,) = pod["containers"]
    assert main["resources"]["claims"] == [{"name": "gpu"}]
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize("make", [training_pod, serving_pod])
def test_shared_memory_is_what_the_spec_says_or_the_memory_limit(make: Any) -> None:
    def limit(pod: dict[str, Any]) -> Any:
        (volume,) = (one for one in pod["volumes"] if one["name"] == "shm")
        assert volume["emptyDir"]["medium"] == "Memory"
        return volume["emptyDir"]["sizeLimit"]

    bounded = {"limits": {"memory": "3Gi"}}
    resources = (
        {"resources": bounded} if make is training_pod else {"server": {"resources": bounded}}
    )
    assert limit(make(sharedMemory="8Gi", **resources)) == "8Gi"
    assert limit(make(**resources)) == "3Gi"
    assert limit(make()) == "64Gi"
    (main,) = make()["containers"]
    assert {"name": "shm", "mountPath": "/dev/shm"} in main["volumeMounts"]


SOURCES = [{"secretRef": {"name": "keys", "optional": False}, "prefix": "MY_"}]


@pytest.mark.parametrize("make", [training_pod, serving_pod])
def test_variables_come_from_secrets_and_config_maps(make: Any) -> None:
    fields = {"envFrom": SOURCES}
    (main,) = make(**fields if make is training_pod else {"server": fields})["containers"]
    assert main["envFrom"] == SOURCES


@pytest.mark.parametrize(
    ("template", "container"),
    [
        (training_template, "trainer"),
        (packaging_template, "packager"),
        (serving_template, "torchserve"),
    ],
)
def test_kubectl_shows_the_log_of_the_container_that_a_user_means(
    template: Any, container: str
) -> None:
    noted = template()["metadata"]["annotations"]
    assert noted["kubectl.kubernetes.io/default-container"] == container


def test_an_exclusive_domain_and_an_affinity_hold_together() -> None:
    pod = training_pod(exclusiveTopologyKey="rack", affinity=AFFINITY)
    assert pod["affinity"].keys() == {"nodeAffinity", "podAffinity", "podAntiAffinity"}


def test_the_releases_registry_secrets_come_first_in_every_pod(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLIPWAY_IMAGE_PULL_SECRETS", "release, registry")
    settings = Settings(_env_file=None)
    fields = {"imagePullSecrets": [{"name": "registry"}, {"name": "own"}]}
    job = simulation.training_job(simulation.spec(**fields))
    named = [{"name": name} for name in ("release", "registry", "own")]
    for made in (
        training_job(job, settings)["spec"]["template"],
        packaging_template(settings, **fields),
    ):
        assert made["spec"]["imagePullSecrets"] == named


@pytest.mark.parametrize(
    "fields",
    [
        *({name: value} for name, value in PLACED.items()),
        {"sharedMemory": "1Gi"},
        {"server": {"envFrom": SOURCES}},
        {"server": {"proxy": {"resources": {"limits": {"memory": "1Gi"}}}}},
        {"podTemplate": {"metadata": {"labels": {"team": "a"}}}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_change_of_how_pods_are_placed_is_a_new_revision(fields: dict[str, Any]) -> None:
    revision = "slipway.dev/revision"
    before = serving_template()["metadata"]["labels"][revision]
    assert serving_template(**fields)["metadata"]["labels"][revision] != before


def test_an_overlay_is_laid_over_serving_pods() -> None:
    added = {"name": "notes", "image": "notes:1"}
    volume = {"name": "notes", "emptyDir": {}}
    spread = {"topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}
    overlay = {
        "spec": {
            "containers": [added],
            "volumes": [volume],
            "topologySpreadConstraints": [spread],
        }
    }
    pod = serving_pod(podTemplate=overlay)
    assert [one["name"] for one in pod["containers"]] == ["torchserve", "notes"]
    assert pod["containers"][1]["securityContext"]["allowPrivilegeEscalation"] is False
    assert volume in pod["volumes"]
    (host,) = (
        c for c in pod["topologySpreadConstraints"] if c["topologyKey"] == spread["topologyKey"]
    )
    assert host["whenUnsatisfiable"] == "DoNotSchedule"


@pytest.mark.parametrize(
    ("overlay", "word"),
    [
        ({"containers": [{"name": "envoy"}]}, "the operator's own container envoy"),
        (
            {"containers": [{"name": "x", "volumeMounts": [{"name": "admin", "mountPath": "/a"}]}]},
            "cannot have admin: remove the mount",
        ),
        ({"terminationGracePeriodSeconds": 1}, "terminationGracePeriodSeconds cannot be 1"),
    ],
)
def test_what_the_operator_needs_in_serving_pods_stays(overlay: dict[str, Any], word: str) -> None:
    world = World(podTemplate={"spec": overlay})
    world.reconcile()
    ready = next(one for one in world.status["conditions"] if one["type"] == "Ready")
    assert ready["reason"] == "InvalidPodTemplate"
    assert word in ready["message"]


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "number_of_gpu=0"),
        ({"server": {"resources": {"limits": {"nvidia.com/gpu": 2}}}}, "number_of_gpu=2"),
    ],
)
def test_the_workers_use_the_gpus_that_the_pod_has(fields: dict[str, Any], line: str) -> None:
    world = World(**fields)
    texts = [
        text
        for one in world.plan().apply
        if one["kind"] == "ConfigMap"
        for text in one["data"].values()
    ]
    assert any(line in text.splitlines() for text in texts)


def test_claimed_devices_are_left_to_torchserve_to_find() -> None:
    world = World(resourceClaims=PLACED["resourceClaims"])
    for one in world.plan().apply:
        assert "number_of_gpu" not in str(one.get("data"))
