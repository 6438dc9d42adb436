from collections.abc import Iterator
from typing import Any

import pytest

from slipway import __version__
from tests.chart.rendering import env, render
from tests.chart.value_sets import EVERYTHING, EXTERNAL_STORE, POD_MONITOR, VALUE_SETS

every_value_set = pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS.keys())


@every_value_set
def test_each_object_is_named_once_and_carries_the_standard_labels(values: dict[str, Any]) -> None:
    release = render(values, apis=[POD_MONITOR])
    names = [
        (found["kind"], found["metadata"].get("namespace"), found["metadata"]["name"])
        for found in release.objects
    ]
    assert len(names) == len(set(names))
    for found in release.objects:
        labels = found["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "slipway"
        assert labels["app.kubernetes.io/instance"] == "slipway"


@every_value_set
def test_nothing_of_the_chart_looks_like_a_child_of_the_operator(values: dict[str, Any]) -> None:
    values = {**values, "commonLabels": {"app.kubernetes.io/managed-by": "slipway"}}
    release = render(values)
    for found in release.objects:
        assert found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def test_services_budget_and_monitor_select_the_pods_that_they_are_for() -> None:
    release = render(EVERYTHING, apis=[POD_MONITOR])
    operator = release.one("Deployment", "slipway")["spec"]["template"]["metadata"]["labels"]
    store = release.one("StatefulSet", "slipway-store")["spec"]["template"]["metadata"]["labels"]
    selectors = {
        "metrics": release.one("Service", "slipway-metrics")["spec"]["selector"],
        "budget": release.one("PodDisruptionBudget", "slipway")["spec"]["selector"]["matchLabels"],
        "monitor": release.one("PodMonitor", "slipway")["spec"]["selector"]["matchLabels"],
    }
    assert all(selector.items() <= operator.items() for selector in selectors.values())
    assert not any(selector.items() <= store.items() for selector in selectors.values())
    assert release.one("Service", "slipway-store")["spec"]["selector"].items() <= store.items()


def test_labels_of_pods_can_be_added_but_not_those_that_select_them() -> None:
    changed = {"app.kubernetes.io/component": "other", "tier": "control"}
    release = render({"operator": {"podLabels": changed}})
    labels = release.one("Deployment", "slipway")["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == "operator"
    assert labels["tier"] == "control"


def test_images_follow_registry_tag_and_digest() -> None:
    release = render(EVERYTHING)
    operator, store = (
        release.one("Deployment", "slipway")["spec"]["template"]["spec"]["containers"][0],
        release.one("StatefulSet", "slipway-store")["spec"]["template"]["spec"]["containers"][0],
    )
    assert operator["image"] == f"registry.example.com/ml/slipway-operator@sha256:{'a' * 64}"
    assert store["image"] == f"registry.example.com/ml/slipway-store:{__version__}"
    told = env(operator)
    assert told["SLIPWAY_TRAINER_IMAGE"] == "registry.example.com/ml/slipway-trainer:1.2.3-cuda"
    assert told["SLIPWAY_SERVER_IMAGE"] == f"other.example.com/slipway-server:{__version__}"
    assert {each["imagePullPolicy"] for each in release.containers()} == {"Always"}


def test_every_pod_gets_the_pull_secrets_and_its_place() -> None:
    for pod in render(EVERYTHING).pods():
        spec = pod["spec"]
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
        assert spec["priorityClassName"] == "platform"
        assert spec["nodeSelector"] == {"kubernetes.io/os": "linux"}
        assert spec["tolerations"] == [{"key": "platform", "operator": "Exists"}]


def test_a_spread_constraint_counts_the_operators_own_pods() -> None:
    pod = render(EVERYTHING).one("Deployment", "slipway")["spec"]["template"]
    (constraint,) = pod["spec"]["topologySpreadConstraints"]
    selector = constraint["labelSelector"]["matchLabels"]
    assert selector.items() <= pod["metadata"]["labels"].items()
    assert constraint["topologyKey"] == "kubernetes.io/hostname"


def test_a_disruption_budget_comes_with_the_second_replica() -> None:
    assert not render().of("PodDisruptionBudget")
    assert render({"operator": {"replicas": 2}}).of("PodDisruptionBudget")


def test_without_an_election_two_operators_never_overlap() -> None:
    deployment = render({"operator": {"leaderElection": False}}).one("Deployment", "slipway")
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}


def test_a_pod_monitor_is_made_only_where_the_kind_exists_and_it_is_wanted() -> None:
    unwanted = {"metrics": {"podMonitor": {"enabled": False}}}
    assert not render().of("PodMonitor")
    assert not render(unwanted, apis=[POD_MONITOR]).of("PodMonitor")
    made = render(EVERYTHING, apis=[POD_MONITOR])
    assert made.names("PodMonitor") == {
        *("slipway", "slipway-store", "slipway-training", "slipway-serving")
    }
    assert all(each["metadata"]["labels"]["prometheus"] == "main" for each in made.of("PodMonitor"))


def test_another_release_name_gives_other_names_and_the_store_is_still_found() -> None:
    release = render(release="ml")
    (deployment,) = release.of("Deployment")
    assert deployment["metadata"]["name"] == "ml-slipway"
    told = env(deployment["spec"]["template"]["spec"]["containers"][0])
    assert told["SLIPWAY_STORE_ENDPOINT"] == "https://ml-slipway-store.slipway-system.svc:7443"
    assert "ml-slipway-store" in release.names("Service")


def test_an_outside_bucket_replaces_the_built_in_store() -> None:
    release = render({"store": EXTERNAL_STORE})
    assert not release.of("StatefulSet")
    assert not release.of("PersistentVolumeClaim")
    assert not release.of("Secret")
    pod = release.one("Deployment", "slipway")["spec"]["template"]["spec"]
    assert "initContainers" not in pod
    told = env(pod["containers"][0])
    assert told["SLIPWAY_STORE_URI"] == "s3://models/slipway"
    assert told["SLIPWAY_STORE_ENDPOINT"] == "https://s3.example.com"
    assert told["SLIPWAY_STORE_REGION"] == "eu-central-1"
    reference = told["SLIPWAY_STORE_SECRET_ACCESS_KEY"]["secretKeyRef"]
    assert reference == {"name": "bucket-credentials", "key": "AWS_SECRET_ACCESS_KEY"}


@pytest.mark.parametrize(
    ("crds", "volume", "stays"),
    [(True, "", True), (False, "", False), (False, True, True), (True, False, False)],
)
def test_the_volume_stays_on_uninstall_as_the_kinds_do_unless_told_otherwise(
    crds: bool, volume: bool | str, stays: bool
) -> None:
    values = {"crds": {"keep": crds}, "store": {"persistence": {"keep": volume}}}
    claim = render(values).one("PersistentVolumeClaim", "slipway-store")["metadata"]
    policy = claim.get("annotations", {}).get("helm.sh/resource-policy")
    assert policy == ("keep" if stays else None)


def test_the_store_uses_the_claim_that_it_is_given() -> None:
    release = render(VALUE_SETS["own credentials and claim"])
    assert not release.of("PersistentVolumeClaim")
    pod = release.one("StatefulSet", "slipway-store")["spec"]["template"]["spec"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "big"}} in pod["volumes"]


def test_only_the_operator_and_its_children_reach_the_store_where_policies_are_on() -> None:
    release = render(EVERYTHING)
    operator = release.one("Deployment", "slipway")["spec"]["template"]["metadata"]["labels"]
    rule, status = release.one("NetworkPolicy", "slipway-store")["spec"]["ingress"]
    assert [port["port"] for port in rule["ports"]] == ["s3-tls"]
    assert [port["port"] for port in status["ports"]] == ["status"]
    own, children = rule["from"]
    assert own["podSelector"]["matchLabels"].items() <= operator.items()
    assert children["podSelector"]["matchLabels"] == {"app.kubernetes.io/managed-by": "slipway"}


NAME_KEYS = frozenset(
    ("name", "namespace", "value", "claimName", "storageClassName", "priorityClassName")
)


def _names(found: Any, key: str = "") -> Iterator[Any]:
    """Yield what stands under the keys that Kubernetes takes text from, and in lists of text."""
    if isinstance(found, dict):
        for name, value in found.items():
            yield from _names(value, name)
    elif isinstance(found, list | tuple):
        for value in found:
            yield from _names(value, key)
    elif key in NAME_KEYS | {"resourceNames", "args"}:
        yield found


@pytest.mark.parametrize("persistence", [{"existingClaim": "7"}, {"storageClass": "1e3"}])
def test_names_that_look_like_numbers_stay_names(persistence: dict[str, str]) -> None:
    release = render(
        {
            "watchNamespaces": ["404"],
            "serviceAccount": {"name": "5"},
            "operator": {"priorityClassName": "1"},
            "store": {
                "bucket": "2026",
                "namespaceSecretName": "0",
                "existingSecret": "12",
                "priorityClassName": "1",
                "persistence": persistence,
            },
        }
    )
    kinds = [found for found in release.objects if found["kind"] != "CustomResourceDefinition"]
    assert [name for name in _names(kinds) if not isinstance(name, str)] == []
