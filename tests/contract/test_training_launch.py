"""What the API server says of the fields about what a job runs, with what and where."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.namespaces import restricted_namespace
from tests.contract.refusals import refusal, refused_change
from tests.harness import Kubectl, TestControlPlane

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def kubectl(control_plane: TestControlPlane) -> Kubectl:
    return restricted_namespace(control_plane, "training-launch")


@pytest.fixture(autouse=True)
def _empty(kubectl: Kubectl) -> Iterator[None]:
    yield
    kubectl.delete_all("tj")


def job(**fields: Any) -> dict[str, Any]:
    """Return a short job with the given fields on top; None takes one away."""
    spec = {"source": {"configMap": {"name": "source"}}, "entrypoint": "train.py", **fields}
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "job"},
        "spec": {name: value for name, value in spec.items() if value is not None},
    }


def _overlay(**pod: Any) -> dict[str, Any]:
    return {"podTemplate": {"spec": pod}}


def _mount(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "mountPath": path}


def _git(**git: Any) -> dict[str, Any]:
    return {"source": {"git": {"url": "https://git.example/net.git", **git}}}


def _input(**one: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "data", "uri": "s3://bucket/data/", **one}]}


def _of_job(**one: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "teacher", "trainingJob": {"name": "big"}, **one}]}


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "a source from git and from an archive": (
        {"source": {"git": {"url": "https://a/b"}, "archive": {"uri": "s3://a/b.tar"}}},
        "write exactly one of source.configMap (files in a ConfigMap), source.git (a repository)",
    ),
    "a repository by ssh without its key": (
        _git(url="ssh://git.example/net"),
        "write source.git.credentialsSecretName: a Secret with ssh-privatekey and known_hosts",
    ),
    "a repository by scp's address without its key": (
        _git(url="git@git.example:team/net.git"),
        "write source.git.credentialsSecretName: a Secret with ssh-privatekey and known_hosts",
    ),
    "a repository on this machine": (
        _git(url="file:///srv/net"),
        "write a repository's URL that begins with https://, http://, git:// or ssh://, or "
        "user@host:path",
    ),
    "a repository with its password": (
        _git(url="https://me:secret@git.example/net"),
        "its credentials in source.git.credentialsSecretName",
    ),
    "a ref that is an option": (_git(ref="--all"), "write a branch, a tag, or the whole hash"),
    "a folder outside the repository": (
        _git(path="../x"),
        "write a relative path, such as assets/ or src/train.py: no '/' at its begin, no part that",
    ),
    "an archive from nowhere": (
        {"source": {"archive": {"uri": "/code.tar"}}},
        "write a URI that begins with s3://, gs://, az://, hf://, http:// or https://",
    ),
    "an archive's digest cut short": (
        {"source": {"archive": {"uri": "s3://a/b.tar", "sha256": "abc"}}},
        "write the 64 lower-case hexadecimal digits",
    ),
    "an input of another scheme": (
        _input(uri="ftp://a/b"),
        "write a URI that begins with s3://, gs://, az://, hf://, http://, https:// or pvc://CLAIM",
    ),
    "an input with its password": (
        _input(uri="https://me:secret@a/b"),
        "remove user and password from the URI: name the Secret that opens it in",
    ),
    "an input with a password that has a slash in it": (
        _input(uri="https://me:se/cret@a/b"),
        "remove user and password from the URI",
    ),
    "an archive with its user": (
        {"source": {"archive": {"uri": "s3://me@a/b.tar"}}},
        "remove user and password from the URI: name the Secret that opens it in "
        "source.archive.credentialsSecretName",
    ),
    "an input with a name that no folder of its own has": (
        _input(name="../data"),
        "write a name of at most 40 lower-case letters, digits and '-'",
    ),
    "an input from a URI and from a job": (
        _input(trainingJob={"name": "big"}),
        "write exactly one of uri (a file or folder) and trainingJob (its archive's files)",
    ),
    "an input from nowhere": (
        {"inputs": [{"name": "data"}]},
        "write exactly one of uri (a file or folder) and trainingJob (its archive's files)",
    ),
    "an input from a job with a digest": (
        _of_job(sha256="a" * 64),
        "remove sha256 and credentialsSecretName beside trainingJob",
    ),
    "an input from a job with a Secret": (
        _of_job(credentialsSecretName="bucket"),
        "remove sha256 and credentialsSecretName beside trainingJob",
    ),
    "an input from a job with no job's name": (
        _of_job(trainingJob={"name": "Big One"}),
        "write the name of an object",
    ),
    "an input from a job with no version": (
        _of_job(trainingJob={"name": "big", "modelVersion": "newest"}),
        "write a version of numbers joined by dots, such as 1.0",
    ),
    "two inputs of one name": (
        {"inputs": [{"name": "a", "uri": "s3://a/b"}, {"name": "a", "uri": "s3://a/c"}]},
        "Duplicate value",
    ),
    "an input's digest in capitals": (
        _input(sha256="A" * 64),
        "write the 64 lower-case hexadecimal digits",
    ),
    "a claim with credentials": (
        _input(uri="pvc://claim/x", credentialsSecretName="a"),
        "remove credentialsSecretName: a claim needs none",
    ),
    "a path that leads out of its claim": (
        _input(uri="pvc://claim/../x"),
        "write a path in the claim without '..' parts",
    ),
    "a script and a module": (
        {"module": "train"},
        "write exactly one of entrypoint (a script under the source), module (for python -m) and",
    ),
    "a script from nowhere": ({"source": None}, "write source, where the entrypoint comes from"),
    "a module that is a file": (
        {"entrypoint": None, "module": "train.py/x"},
        "write a Python module's dotted name without .py, such as package.train",
    ),
    "an empty command": ({"entrypoint": None, "command": []}, "should have at least 1 items"),
    "a framework that there is not": ({"framework": "mpi"}, '"torchrun", "plain"'),
    "a variable of TensorFlow's": (
        {"env": [{"name": "TF_CONFIG", "value": "{}"}]},
        "remove the variables that torchrun and the operator set themselves",
    ),
    "a variable of a role": (
        {"env": [{"name": "ROLE_NAME", "value": "x"}]},
        "remove the variables that torchrun and the operator set themselves",
    ),
    "shared memory that is no quantity": ({"sharedMemory": "big"}, "spec.sharedMemory"),
    "a toleration of a value for any": (
        {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
        "remove value, or write operator: Equal",
    ),
    "a toleration of nothing": (
        {"tolerations": [{"effect": "NoSchedule"}]},
        "write key, or operator: Exists to tolerate every taint",
    ),
    "a spread that differs by nothing": (
        {"topologySpread": [{"topologyKey": "zone", "maxSkew": 0}]},
        "greater than or equal to 1",
    ),
    "a topology that is no label": (
        {"exclusiveTopologyKey": "a rack"},
        "write a label's key, such as topology.kubernetes.io/zone",
    ),
    "a job that is spread over its one domain": (
        {"exclusiveTopologyKey": "rack", "topologySpread": [{"topologyKey": "rack"}]},
        "remove the topologySpread whose topologyKey is exclusiveTopologyKey",
    ),
    "a claim of nothing": (
        {"resourceClaims": [{"name": "gpu"}]},
        "write exactly one of resourceClaimName",
    ),
    "an overlay with a restart policy": (
        _overlay(restartPolicy="Always"),
        "remove podTemplate.spec.restartPolicy: the pods' owner decides on it",
    ),
    "an overlay that lets the script look into the agent": (
        _overlay(shareProcessNamespace=True),
        "remove podTemplate.spec.shareProcessNamespace: a container of the user's could read",
    ),
    "an image that is no reference": (
        {"image": "A b"},
        "write an image reference, such as registry/name:tag",
    ),
    "a source at no absolute path": (
        {"source": {"image": {"path": "app"}}},
        "write an absolute path in the image, such as /app",
    ),
    "a config map of no name": (
        {"source": {"configMap": {"name": "My Source"}}},
        "write the name of a Kubernetes object: lower-case letters, digits, '-' and '.'",
    ),
    "an overlay with a subdomain": (
        _overlay(subdomain="x"),
        "remove podTemplate.spec.subdomain: the pods' DNS names are made from it",
    ),
    "an overlay with a hostname": (
        _overlay(hostname="x"),
        "remove podTemplate.spec.hostname: the pods' DNS names are made from it",
    ),
    "an overlay with a runtime class": (
        _overlay(runtimeClassName="gvisor"),
        "write spec.runtimeClassName instead of podTemplate.spec.runtimeClassName",
    ),
    "an overlay with a priority class": (
        _overlay(priorityClassName="high"),
        "write spec.priorityClassName instead of podTemplate.spec.priorityClassName",
    ),
    "an overlay with a deadline": (
        _overlay(activeDeadlineSeconds=5),
        "write spec.activeDeadlineSeconds instead of podTemplate.spec.activeDeadlineSeconds",
    ),
    "an overlay with another image": (
        _overlay(containers=[{"name": "trainer", "image": "mine:1"}]),
        "write spec.image instead of image of the container trainer in podTemplate",
    ),
    "an overlay with another command": (
        _overlay(containers=[{"name": "trainer", "command": ["sh"]}]),
        "write spec.command instead of command of the container trainer in podTemplate",
    ),
    "an overlay with variables": (
        _overlay(containers=[{"name": "trainer", "env": [{"name": "RANK", "value": "0"}]}]),
        "write spec.env instead of env of the container trainer in podTemplate",
    ),
    "an overlay over the agent": (
        _overlay(initContainers=[{"name": "agent", "env": []}]),
        "choose other names for podTemplate's initContainers",
    ),
    "an overlay with a container named as ours": (
        _overlay(containers=[{"name": "input-data", "image": "a"}]),
        "choose other names for podTemplate's containers",
    ),
    "an overlay over a volume of ours": (
        _overlay(volumes=[{"name": "output", "emptyDir": {}}]),
        "choose other names for podTemplate's volumes",
    ),
    "an overlay that mounts what only the agent may see": (
        _overlay(containers=[{"name": "trainer", "volumeMounts": [_mount("slipway-save", "/x")]}]),
        "remove the mount from podTemplate: volumes named slipway-*, agent-tmp and fetch-tmp are",
    ),
    "an overlay that mounts it in a container that runs first": (
        _overlay(initContainers=[{"name": "peek", "volumeMounts": [_mount("agent-tmp", "/x")]}]),
        "remove the mount from podTemplate: volumes named slipway-*, agent-tmp and fetch-tmp are",
    ),
    "an overlay that mounts over what the operator mounts": (
        _overlay(containers=[{"name": "trainer", "volumeMounts": [_mount("a", "/slipway/run")]}]),
        "choose another mountPath than in /slipway, where the operator mounts what",
    ),
    "an overlay with a volume named as ours": (
        _overlay(volumes=[{"name": "slipway-mine", "emptyDir": {}}]),
        "input-* and slipway-* are the operator's own",
    ),
    "an overlay with a label of ours": (
        {"podTemplate": {"metadata": {"labels": {"slipway.dev/component": "x"}}}},
        "choose other labels: slipway.dev/*",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_training_job_is_refused_with_a_message_for(case: str, kubectl: Kubectl) -> None:
    spec, message = REFUSALS[case]
    assert message in refusal(kubectl, job(**spec))


def test_inputs_from_a_uri_and_from_jobs_stand_beside_each_other(kubectl: Kubectl) -> None:
    of_jobs = [{"name": "teacher", "trainingJob": {"name": "big"}}]
    of_jobs += [{"name": "base", "trainingJob": {"name": "big", "modelVersion": "1.1"}}]
    kubectl.apply(job(inputs=[{"name": "rows", "uri": "pvc://rows/x"}, *of_jobs]))


@pytest.mark.parametrize(
    "program", [{"module": "torch.utils.collect_env"}, {"command": ["true"]}], ids=str
)
def test_a_module_or_a_command_needs_no_source(kubectl: Kubectl, program: dict[str, Any]) -> None:
    kubectl.apply(job(source=None, entrypoint=None, **program))


@pytest.mark.parametrize(
    "url", ["ssh://git@git.example:2222/team/net.git", "git@git.example:team/net.git"]
)
def test_a_repository_over_ssh_is_taken_with_its_secret(kubectl: Kubectl, url: str) -> None:
    kubectl.apply(job(**_git(url=url, credentialsSecretName="key", submodules=True)))


def test_an_overlay_keeps_every_field_of_a_pod_that_it_has(kubectl: Kubectl) -> None:
    proxy = {"name": "proxy", "image": "proxy:1", "ports": [{"containerPort": 80}]}
    spec = {"initContainers": [proxy], "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]}}
    kubectl.apply(job(podTemplate={"spec": spec}))
    assert (kubectl.get("tj", "job") or {})["spec"]["podTemplate"]["spec"] == spec


PLACED: dict[str, tuple[Any, Any]] = {
    "image": ("a:1", "a:2"),
    "source": ({"configMap": {"name": "a"}}, {"configMap": {"name": "b"}}),
    "entrypoint": ("a.py", "b.py"),
    "args": (["--a"], ["--b"]),
    "env": ([{"name": "A", "value": "1"}], [{"name": "A", "value": "2"}]),
    "sharedMemory": ("1Gi", "2Gi"),
    "podTemplate": ({"spec": {"hostNetwork": False}}, {"spec": {"hostNetwork": True}}),
    "nodeSelector": ({"gpu": "a100"}, {"gpu": "h100"}),
    "tolerations": ([{"key": "a", "operator": "Exists"}], [{"key": "b", "operator": "Exists"}]),
    "topologySpread": ([{"topologyKey": "zone"}], [{"topologyKey": "host"}]),
    "exclusiveTopologyKey": ("rack", "row"),
    "priorityClassName": ("high", "low"),
    "runtimeClassName": ("gvisor", "kata"),
    "resourceClaims": (
        [{"name": "gpu", "resourceClaimName": "a"}],
        [{"name": "gpu", "resourceClaimName": "b"}],
    ),
    "queueName": ("a", "b"),
    "checkpoint": ({"keep": 1}, {"keep": 2}),
    "stop": ({"maxEpochs": 1}, {"maxEpochs": 2}),
    "inputs": ([{"name": "a", "uri": "s3://a/b"}], [{"name": "a", "uri": "s3://a/c"}]),
}
"""A field's value at first, and another one."""
DEFAULTED: dict[str, Any] = {
    "framework": "plain",
    "processesPerNode": 2,
    "resources": {"requests": {"cpu": "1"}},
    "gang": "Volcano",
}
"""Other values of fields that always have one."""


def test_every_field_that_makes_the_pods_is_told_to_be_fixed(kubectl: Kubectl) -> None:
    first = {field: values[0] for field, values in PLACED.items()}
    second = {field: values[1] for field, values in PLACED.items()}
    kubectl.apply(job(**first))
    told = refused_change(kubectl, job(**second, **DEFAULTED))
    for field in (*PLACED, *DEFAULTED):
        assert f"{field} cannot change after creation: create a new object with another" in told


def test_every_field_that_makes_the_pods_is_told_to_stay_or_to_stay_away(kubectl: Kubectl) -> None:
    kept = {"source", "entrypoint"}
    first = {field: values[0] for field, values in PLACED.items() if field not in kept}
    first["elastic"] = {"minNodes": 1, "maxNodes": 2}
    kubectl.apply(job())
    told = refused_change(kubectl, job(**first))
    for field in first:
        assert f"{field} cannot be added or removed after creation: create a new object" in told


def test_what_is_run_can_neither_change_nor_go(kubectl: Kubectl) -> None:
    away = "cannot be added or removed after creation: create a new object"
    kubectl.apply(job(entrypoint=None, module="a"))
    told = refused_change(kubectl, job(source=None, entrypoint=None, module="b"), "replace")
    assert "module cannot change after creation: create a new object with another" in told
    assert f"source {away}" in told
    told = refused_change(kubectl, job(entrypoint="a.py"), "replace")
    assert f"module {away}" in told
    assert f"entrypoint {away}" in told
    kubectl.delete("tj", "job")
    kubectl.apply(job(entrypoint=None, command=["a"]))
    told = refused_change(kubectl, job(entrypoint=None, command=["b"]), "replace")
    assert "command cannot change after creation: create a new object with another" in told
    assert f"command {away}" in refused_change(kubectl, job(entrypoint="a.py"), "replace")
