"""What the operator makes no pods for, told by a condition of either kind."""

from typing import Any

import pytest

from slipway.pods.permitted import Refusal
from tests.unit.serving.world import World
from tests.unit.training.simulation import Cluster, spec


def _failed(cluster: Cluster) -> dict[str, Any]:
    cluster.settle()
    assert not [ref for ref in cluster.objects if ref.kind == "Job"]
    conditions = {one["type"]: one for one in cluster.status["conditions"]}
    found: dict[str, Any] = conditions["Failed"]
    return found


def _not_ready(world: World) -> dict[str, Any]:
    world.reconcile()
    assert not [ref for ref in world.children if ref.kind == "Deployment"]
    conditions = {one["type"]: one for one in world.status["conditions"]}
    assert conditions["Ready"]["status"] == "False"
    found: dict[str, Any] = conditions["Ready"]
    return found


def test_an_overlay_beyond_the_level_is_refused_by_its_path_for_both_kinds() -> None:
    overlay = {"spec": {"hostNetwork": True}}
    for told in (
        _failed(Cluster(spec(podTemplate=overlay))),
        _not_ready(World(podTemplate=overlay)),
    ):
        assert told["reason"] == "PodTemplateForbidden"
        assert told["message"].startswith(
            "spec.podTemplate.spec.hostNetwork is not allowed by the Pod Security Standard "
            '"restricted": remove it'
        )
        assert "pod-security.kubernetes.io/enforce" in told["message"]


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"runAsNonRoot": False}, "runAsNonRoot"),
        ({"seccompProfile": {"type": "Unconfined"}}, "seccompProfile.type"),
        ({"runAsUser": 0}, "runAsUser"),
    ],
)
def test_the_defaults_of_a_pods_security_are_loosened_no_further(
    context: dict[str, Any], field: str
) -> None:
    told = _failed(Cluster(spec(podTemplate={"spec": {"securityContext": context}})))
    assert told["reason"] == "PodTemplateForbidden"
    assert f"securityContext.{field} is not allowed" in told["message"]


def test_the_namespaces_label_allows_more_for_both_kinds() -> None:
    overlay = {"spec": {"hostNetwork": True}}
    cluster = Cluster(spec(podTemplate=overlay), pod_security="privileged")
    cluster.settle()
    assert [ref for ref in cluster.objects if ref.kind == "Job"]
    world = World(podTemplate=overlay)
    world.pod_security = "privileged"
    world.reconcile()
    assert [ref for ref in world.children if ref.kind == "Deployment"]


def test_a_stricter_label_takes_nothing_from_what_the_operator_allows() -> None:
    cluster = Cluster(spec(), pod_security="restricted")
    cluster.settle()
    assert [ref for ref in cluster.objects if ref.kind == "Job"]


TOKEN = {"serviceAccountToken": {"path": "token"}}
CERTIFICATE = {"podCertificate": {"signerName": "kubernetes.io/kube-apiserver-client-pod"}}


@pytest.mark.parametrize(
    ("overlay", "path"),
    [
        ({"automountServiceAccountToken": True}, "automountServiceAccountToken"),
        (
            {"volumes": [{"name": "t", "projected": {"sources": [TOKEN]}}]},
            "volumes[t].projected.sources[].serviceAccountToken",
        ),
        (
            {"volumes": [{"name": "t", "projected": {"sources": [{}, CERTIFICATE]}}]},
            "volumes[t].projected.sources[].podCertificate",
        ),
    ],
)
def test_a_token_needs_the_name_of_its_account(overlay: dict[str, Any], path: str) -> None:
    told = _failed(Cluster(spec(podTemplate={"spec": overlay})))
    assert told["reason"] == "PodTemplateForbidden"
    assert f"spec.podTemplate.spec.{path} gives the pods" in told["message"]
    named = {**overlay, "serviceAccountName": "trainer"}
    cluster = Cluster(spec(podTemplate={"spec": named}))
    cluster.settle()
    assert [ref for ref in cluster.objects if ref.kind == "Job"]


SECRET = {"name": "slipway-store", "key": "AWS_SECRET_ACCESS_KEY"}
READS_IT = {"name": "x", "envFrom": [{"secretRef": {"name": "slipway-store"}}]}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": SECRET}}]},
            "env[0].valueFrom.secretKeyRef.name",
        ),
        (
            {"podTemplate": {"spec": {"containers": [READS_IT]}}},
            "podTemplate.spec.containers[0].envFrom[0].secretRef.name",
        ),
        (
            {
                "podTemplate": {
                    "spec": {"volumes": [{"name": "s", "secret": {"secretName": "slipway-store"}}]}
                }
            },
            "podTemplate.spec.volumes[0].secret.secretName",
        ),
        (
            {
                "inputs": [
                    {
                        "name": "a",
                        "uri": "https://b.example/c",
                        "credentialsSecretName": "slipway-store",
                    }
                ]
            },
            "inputs[0].credentialsSecretName",
        ),
    ],
)
def test_the_operators_secret_is_refused_wherever_it_is_named(
    fields: dict[str, Any], path: str
) -> None:
    told = _failed(Cluster(spec(**fields)))
    assert told["reason"] == "SecretForbidden"
    assert told["message"].startswith(f"spec.{path} names the Secret slipway-store")


READS_KEY = [{"name": "A", "valueFrom": {"secretKeyRef": SECRET}}]


@pytest.mark.parametrize(
    ("server", "path"),
    [
        ({"env": READS_KEY}, "spec.server.env[0].valueFrom.secretKeyRef.name"),
        (
            {"runtime": "Container", "container": {"image": "mine:1", "env": READS_KEY}},
            "spec.server.container.env[0].valueFrom.secretKeyRef.name",
        ),
    ],
)
def test_a_server_does_not_read_the_operators_secret(server: dict[str, Any], path: str) -> None:
    told = _not_ready(World(server=server))
    assert told["reason"] == "SecretForbidden"
    assert path in told["message"]


def test_what_serves_goes_on_while_a_new_spec_is_refused() -> None:
    world = World()
    world.reconcile()
    before = {ref: dict(live["spec"]) for ref, live in world.children.items() if "spec" in live}
    world.change(podTemplate={"spec": {"hostPID": True}})
    world.reconcile()
    after = {ref: dict(live["spec"]) for ref, live in world.children.items() if "spec" in live}
    assert before == after
    ready = next(one for one in world.status["conditions"] if one["type"] == "Ready")
    assert ready["reason"] == "PodTemplateForbidden"


def test_each_refusals_reason_is_one_of_both_kinds() -> None:
    from slipway.serving import reasons as serving
    from slipway.training import reasons as training

    reasons = Refusal.__annotations__["reason"].__args__
    for kind in (serving, training):
        assert set(reasons) <= {value for name, value in vars(kind).items() if name.isupper()}
