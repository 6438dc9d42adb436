"""What the operator's account may not do, whatever its roles say: the chart's admission policy."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.namespaces import new_namespace
from tests.contract.operator.process import NAMESPACE
from tests.harness import Kubectl, KubectlError, Object, TestControlPlane
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.contract

GOLDEN = Path(__file__).parents[2] / "unit"
OWNED = "The operator writes only what a TrainingJob or ModelDeployment controls"
LABELLED = "The operator writes only what has the label app.kubernetes.io/managed-by=slipway"
RESTRICTED = "The operator makes pods as the restricted Pod Security Standard has them"
HOST = "The operator makes no pods that are privileged or use their node's network"
TOKEN = "The operator makes no pods with a service account's token"
PODS = "The operator annotates and deletes pods, and makes or changes none itself"
SECRETS = "The operator writes no Secret but that with the store's credentials"
KUBERNETES = "The operator writes nothing in the namespaces of Kubernetes itself"


def made(path: str, kind: str, namespace: str) -> Object:
    """Return an object as the operator makes it."""
    documents = yaml.load_all((GOLDEN / path).read_text(), yaml.CSafeLoader)
    found: Object = next(each for each in documents if each["kind"] == kind)
    found["metadata"]["namespace"] = namespace
    return found


def job(namespace: str) -> Object:
    return made("training/golden/two-nodes.yaml", "Job", namespace)


def deployment(namespace: str) -> Object:
    return made("serving/golden/defaults.yaml", "Deployment", namespace)


@pytest.fixture(scope="module")
def space(control_plane: TestControlPlane) -> Kubectl:
    return new_namespace(control_plane.kubectl, "fenced")


@pytest.fixture(scope="module")
def by_operator(kubeconfig: Path, space: Kubectl) -> Kubectl:
    """kubectl with the operator's own account, once its fence stands."""
    found = Kubectl(kubeconfig, space.namespace)
    bare = deployment(space.namespace)
    unlabelled(bare)

    def stands() -> bool:
        return LABELLED in refusal(lambda: found.create(bare))

    def told() -> str:
        return refusal(lambda: found.create(bare)) or "It was made."

    wait_for(stands, 120, "the API server knows the policy", told)
    return found


def refusal(act: Callable[[], Any]) -> str:
    """Return why something is refused; empty where it is done."""
    try:
        act()
    except KubectlError as error:
        return str(error)
    return ""


def podspec(found: Object) -> Object:
    spec: Object = found["spec"]["template"]["spec"]
    return spec


def unowned(found: Object) -> None:
    del found["metadata"]["ownerReferences"]


def owned_by_another_kind(found: Object) -> None:
    found["metadata"]["ownerReferences"][0]["apiVersion"] = "apps/v1"


def no_controller(found: Object) -> None:
    found["metadata"]["ownerReferences"][0]["controller"] = False


def unlabelled(found: Object) -> None:
    found["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "Helm"}


def privileged(found: Object) -> None:
    podspec(found)["containers"][0]["securityContext"] = {"privileged": True}


def privileged_at_first(found: Object) -> None:
    podspec(found)["initContainers"][0]["securityContext"] = {"privileged": True}


def on_the_host(found: Object) -> None:
    podspec(found)["hostNetwork"] = True


def with_host_path(found: Object) -> None:
    podspec(found)["volumes"].append({"name": "root", "hostPath": {"path": "/"}})


def as_root(found: Object) -> None:
    podspec(found)["securityContext"]["runAsUser"] = 0


def with_capabilities(found: Object) -> None:
    podspec(found)["containers"][0]["securityContext"]["capabilities"]["add"] = ["NET_RAW"]


def unconfined(found: Object) -> None:
    podspec(found)["securityContext"]["seccompProfile"]["type"] = "Unconfined"


def unconfined_in_a_container(found: Object) -> None:
    profile = {"seccompProfile": {"type": "Unconfined"}}
    podspec(found)["containers"][0]["securityContext"] |= profile


def with_all_of_proc(found: Object) -> None:
    podspec(found)["hostUsers"] = False
    podspec(found)["containers"][0]["securityContext"]["procMount"] = "Unmasked"


def with_a_disk_of_the_network(found: Object) -> None:
    nfs = {"server": "127.0.0.1", "path": "/"}
    podspec(found)["volumes"].append({"name": "disk", "nfs": nfs})


def with_a_token_as_a_volume(found: Object) -> None:
    token = {"sources": [{"serviceAccountToken": {"path": "token"}}]}
    podspec(found)["volumes"].append({"name": "token", "projected": token})


def with_token(found: Object) -> None:
    podspec(found)["automountServiceAccountToken"] = True


ATTACKS: dict[Callable[[Object], None], str] = {
    unowned: OWNED,
    owned_by_another_kind: OWNED,
    no_controller: OWNED,
    unlabelled: LABELLED,
    privileged: HOST,
    privileged_at_first: HOST,
    on_the_host: HOST,
    with_host_path: HOST,
    as_root: RESTRICTED,
    with_capabilities: HOST,
    unconfined: HOST,
    unconfined_in_a_container: HOST,
    with_all_of_proc: HOST,
    with_a_disk_of_the_network: RESTRICTED,
    with_token: TOKEN,
    with_a_token_as_a_volume: "The operator mounts no service account's token",
}


@pytest.mark.parametrize("make", [job, deployment])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_workloads_of_others_and_pods_with_power_are_refused(
    attack: Callable[[Object], None], make: Callable[[str], Object], by_operator: Kubectl
) -> None:
    found = make(by_operator.namespace)
    attack(found)
    assert ATTACKS[attack] in refusal(lambda: by_operator.create(found))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("training/golden/two-nodes.yaml", "Secret"),
        ("training/golden/two-nodes.yaml", "NetworkPolicy"),
        ("training/golden/two-nodes.yaml", "Job"),
        ("training/golden/two-nodes.yaml", "Service"),
        ("training/golden/queued-gang.yaml", "Workload"),
        ("serving/golden/everything.yaml", "ConfigMap"),
        ("serving/golden/everything.yaml", "Deployment"),
        ("serving/golden/everything.yaml", "HorizontalPodAutoscaler"),
        ("serving/golden/everything.yaml", "PodDisruptionBudget"),
    ],
)
def test_what_the_operator_makes_passes(path: str, kind: str, by_operator: Kubectl) -> None:
    manifest = made(path, kind, by_operator.namespace)
    if kind == "Deployment":  # another test makes its namesake
        manifest["metadata"]["name"] += "-made"
    by_operator.create(manifest)


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease"])
def test_nothing_is_made_in_the_namespaces_of_kubernetes(
    namespace: str, by_operator: Kubectl
) -> None:
    elsewhere = Kubectl(by_operator.kubeconfig, namespace)
    assert KUBERNETES in refusal(lambda: elsewhere.create(job(namespace)))


def test_no_other_secret_is_made(by_operator: Kubectl) -> None:
    secret = made("training/golden/two-nodes.yaml", "Secret", by_operator.namespace)
    secret["metadata"]["name"] = "another"
    assert SECRETS in refusal(lambda: by_operator.create(secret))


def test_no_secret_is_made_beside_those_that_the_release_brings(by_operator: Kubectl) -> None:
    secret = made("training/golden/two-nodes.yaml", "Secret", NAMESPACE)
    secret["metadata"]["name"] = "another"
    there = Kubectl(by_operator.kubeconfig, NAMESPACE)
    assert SECRETS in refusal(lambda: there.create(secret))


SERVICES: dict[str, Object] = {
    "the address of another Service": {"externalIPs": ["10.113.0.1"]},
    "a name elsewhere": {"type": "ExternalName", "externalName": "metadata.internal"},
}


@pytest.mark.parametrize("spec", SERVICES.values(), ids=[*SERVICES])
def test_a_service_takes_nobodys_traffic(spec: Object, by_operator: Kubectl) -> None:
    found = made("training/golden/two-nodes.yaml", "Service", by_operator.namespace)
    found["metadata"]["name"] = "elsewhere"
    found["spec"] |= spec
    if "externalName" in spec:
        del found["spec"]["clusterIP"]
    refused = refusal(lambda: by_operator.create(found))
    assert "The operator makes no Services that take other addresses or names" in refused


@pytest.mark.parametrize("attack", [with_capabilities, unconfined, unconfined_in_a_container])
def test_a_namespace_of_the_level_baseline_lets_no_container_loose(
    control_plane: TestControlPlane, by_operator: Kubectl, attack: Callable[[Object], None]
) -> None:
    allowed = {"pod-security.kubernetes.io/enforce": "baseline"}
    space = new_namespace(control_plane.kubectl, attack.__name__.replace("_", "-"), allowed)
    found = job(space.namespace)
    attack(found)
    there = Kubectl(by_operator.kubeconfig, space.namespace)
    assert HOST in refusal(lambda: there.create(found))


@pytest.fixture(scope="module")
def foreign(space: Kubectl) -> Object:
    """A ConfigMap, a Deployment and a pod that somebody else made."""
    found = deployment(space.namespace)
    meta = {"name": "theirs", "namespace": space.namespace}
    pod = {"metadata": {"name": "theirs"}, "spec": deepcopy(podspec(found))}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "b"}}
    mine = {**found, "metadata": {**meta, "labels": {"app": "theirs"}}}
    space.create([config, mine, {"apiVersion": "v1", "kind": "Pod", **pod}])
    return meta


@pytest.mark.parametrize("kind", ["configmap", "deployment", "pod"])
def test_what_others_made_is_not_changed(kind: str, foreign: Object, by_operator: Kubectl) -> None:
    body = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "slipway"}}}
    assert LABELLED in refusal(lambda: by_operator.patch(kind, foreign["name"], body))


@pytest.mark.parametrize("kind", ["configmap", "pod"])
def test_what_others_made_is_not_deleted(kind: str, foreign: Object, by_operator: Kubectl) -> None:
    gone = ("delete", kind, foreign["name"], "--wait=false")
    assert LABELLED in refusal(lambda: by_operator.run(*gone))


def test_a_pod_is_annotated_and_deleted_but_never_given_another_image(
    space: Kubectl, by_operator: Kubectl
) -> None:
    template = deployment(space.namespace)["spec"]["template"]
    meta = {"name": "ours", "labels": template["metadata"]["labels"]}
    space.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]})
    containers = deepcopy(template["spec"]["containers"])
    containers[0]["image"] = "evil"
    evil = {"spec": {"containers": containers}}
    assert PODS in refusal(lambda: by_operator.patch("pod", "ours", evil))
    by_operator.patch("pod", "ours", {"metadata": {"annotations": {"slipway.dev/routes": "x"}}})
    by_operator.run("delete", "pod", "ours", "--wait=false")


def test_a_namespaces_own_label_allows_more(
    control_plane: TestControlPlane, by_operator: Kubectl
) -> None:
    allowed = {"pod-security.kubernetes.io/enforce": "privileged"}
    space = new_namespace(control_plane.kubectl, "lax", allowed)
    found = job(space.namespace)
    with_host_path(found)
    privileged(found)
    Kubectl(by_operator.kubeconfig, space.namespace).create(found)


def test_nobody_else_is_concerned(space: Kubectl) -> None:
    found = deployment(space.namespace)
    found["metadata"] = {"name": "anybodys"}
    space.create(found)
