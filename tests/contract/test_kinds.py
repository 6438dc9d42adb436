"""The CRDs on a real API server: what they accept, fill in and refuse, and in which words."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.namespaces import install_kinds
from tests.contract.refusals import refusal, refused_change
from tests.harness import Kubectl, TestControlPlane

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
SHA = "a" * 64
GATED: dict[str, Any] = {"serializedFile": "m.pt", "handler": "h.py"}


@pytest.fixture(scope="module")
def kubectl(control_plane: TestControlPlane) -> Kubectl:
    kubectl = control_plane.kubectl
    install_kinds(kubectl)
    return kubectl


@pytest.fixture
def job() -> dict[str, Any]:
    spec = {"source": {"configMap": {"name": "source"}}, "entrypoint": "train.py"}
    return _object("TrainingJob", "job", spec)


@pytest.fixture
def deployment() -> dict[str, Any]:
    return _object("ModelDeployment", "model", {"model": {"trainingJob": {"name": "job"}}})


@pytest.fixture(autouse=True)
def _empty(kubectl: Kubectl) -> Iterator[None]:
    yield
    kubectl.delete_all("tj", "mdep")


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def _with(base: dict[str, Any], **spec: Any) -> dict[str, Any]:
    changed = copy.deepcopy(base)
    changed["spec"].update(spec)
    changed["spec"] = {name: value for name, value in changed["spec"].items() if value is not None}
    return changed


def test_a_short_training_job_is_accepted_and_its_defaults_are_filled_in(
    kubectl: Kubectl, job: dict[str, Any]
) -> None:
    kubectl.apply(job)
    spec = (kubectl.get("tj", "job") or {})["spec"]
    assert (spec["nodes"], spec["processesPerNode"], spec["gang"]) == (1, "auto", "None")
    assert spec["cleanPodPolicy"] == "Running"
    assert spec["suspend"] is False


def test_a_package_that_is_evaluated_and_compared_with_what_serves_is_accepted(
    kubectl: Kubectl, job: dict[str, Any]
) -> None:
    package = {
        **GATED,
        "samples": {"file": "rows.jsonl", "evaluate": "judge.py:score"},
        "comparedWith": {"name": "model"},
        "gates": [
            {"metric": "accuracy", "successCondition": "result >= 0.9", "minRatioToServed": "0.98"},
            {"metric": "latencySeconds", "maxRatioToServed": "1.5"},
        ],
    }
    kubectl.apply(_with(job, package=package))
    assert (kubectl.get("tj", "job") or {})["spec"]["package"]["gates"] == package["gates"]


def test_a_short_model_deployment_is_accepted_and_its_defaults_are_filled_in(
    kubectl: Kubectl, deployment: dict[str, Any]
) -> None:
    kubectl.apply(deployment)
    spec = (kubectl.get("mdep", "model") or {})["spec"]
    assert spec["replicas"] == 1
    assert spec["rollout"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert spec["expose"]["service"] == {"type": "ClusterIP", "port": 80}
    assert spec["server"]["workers"] == 1


def test_applying_the_same_object_again_keeps_its_generation(
    kubectl: Kubectl, job: dict[str, Any]
) -> None:
    kubectl.apply(job)
    before = (kubectl.get("tj", "job") or {})["metadata"]
    kubectl.apply(job)
    after = (kubectl.get("tj", "job") or {})["metadata"]
    assert before["generation"] == after["generation"]
    assert before["resourceVersion"] == after["resourceVersion"]


@pytest.mark.parametrize(
    "name",
    [
        "epoch=9-step=500.ckpt",
        "my model.pt",
        "ckpt/.metadata",
        "..almost/...",
        ".hidden",
        "-x",
        "größe.pt",
        "a'b\"c\\d",
    ],
)
def test_a_file_may_have_any_name_that_linux_allows(
    kubectl: Kubectl, job: dict[str, Any], name: str
) -> None:
    package = {"serializedFile": name, "handler": "handler.py", "extraFiles": [name, "assets/"]}
    kubectl.apply({**job, "spec": {**job["spec"], "package": package}})
    assert (kubectl.get("tj", "job") or {})["spec"]["package"]["serializedFile"] == name


@pytest.mark.parametrize(
    "package",
    [
        {"handler": "src/handler.py:answer"},
        {"handler": "image_classifier"},
        {"handler": "tensor", "config": {"handler": {"shape": [2], "dtype": "float32"}}},
        {"handler": "image-classification"},
        {"handler": "text-classification", "extraFiles": ["index_to_name.json", "a/vocab.txt"]},
        {"handler": "text-classification", "extraFiles": ["tokenizer.py"]},
    ],
)
def test_a_handler_is_a_file_or_one_that_is_built_in(
    kubectl: Kubectl, job: dict[str, Any], package: dict[str, Any]
) -> None:
    package = {"serializedFile": "model.pt", **package}
    kubectl.apply(_with(job, package=package))
    live = (kubectl.get("tj", "job") or {})["spec"]["package"]
    assert live["handler"] == package["handler"]


OPTIMIZED = {
    "serializedFile": "m.pt2",
    "handler": "tensor",
    "samples": {"file": "rows.jsonl"},
    "optimize": {},
}


def test_what_is_not_said_of_candidates_has_defaults(kubectl: Kubectl, job: dict[str, Any]) -> None:
    kubectl.apply(_with(job, package=OPTIMIZED))
    live = (kubectl.get("tj", "job") or {})["spec"]["package"]["optimize"]
    assert live == {
        "objective": "Latency",
        "candidates": ["Onnx", "Int8Dynamic", "Int8Static"],
        "tolerance": 0.01,
        "timeoutSeconds": 900,
    }


JOB_REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "nothing to run": ({"entrypoint": None}, "write exactly one of entrypoint"),
    "a source of two kinds": (
        {"source": {"configMap": {"name": "a"}, "image": {"path": "/a"}}},
        "write exactly one of source.configMap",
    ),
    "a source of no kind": ({"source": {}}, "write exactly one of source.configMap"),
    "an entrypoint outside the source": (
        {"entrypoint": "../train.py"},
        "write a file's relative path, such as src/train.py: no '/' at its begin",
    ),
    "a folder as an entrypoint": ({"entrypoint": "src/"}, "a folder does not do"),
    "an absolute entrypoint": ({"entrypoint": "/src/train.py"}, "no '/' at its begin"),
    "a part that leads out": ({"entrypoint": "src/../../train.py"}, "'.' or '..'"),
    "a part that leads nowhere": ({"entrypoint": "src/./train.py"}, "'.' or '..'"),
    "an empty part": ({"entrypoint": "src//train.py"}, "no part that is empty"),
    "a line's end in a name": ({"entrypoint": "a\nb.py"}, "no control characters"),
    "no node": ({"nodes": 0}, "should be greater than or equal to 1"),
    "too many nodes": ({"nodes": 5000}, "should be less than or equal to 1024"),
    "no process": ({"processesPerNode": 0}, "write a number from 1 to 64, or auto"),
    "a word for a number of processes": (
        {"processesPerNode": "all"},
        "write a number from 1 to 64, or auto",
    ),
    "a variable of torchrun's": (
        {"env": [{"name": "MASTER_ADDR", "value": "a"}]},
        "remove the variables that torchrun and the operator set themselves",
    ),
    "a prefix of torchrun's": (
        {"env": [{"name": "PET_NNODES", "value": "3"}]},
        "remove the variables that torchrun and the operator set themselves",
    ),
    "a variable with two values": (
        {"env": [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]},
        "write either value or valueFrom, not both",
    ),
    "a variable from two places": (
        {
            "env": [
                {
                    "name": "A",
                    "valueFrom": {
                        "fieldRef": {"fieldPath": "x"},
                        "secretKeyRef": {"name": "a", "key": "b"},
                    },
                }
            ]
        },
        "write exactly one of configMapKeyRef, secretKeyRef and fieldRef",
    ),
    "checkpoints at two intervals": (
        {"checkpoint": {"intervalSteps": 10, "intervalSeconds": 60}},
        "write either checkpoint.intervalSteps or checkpoint.intervalSeconds, not both",
    ),
    "a Secret for no place": (
        {"checkpoint": {"credentialsSecretName": "keys"}},
        "checkpoint.credentialsSecretName opens the place of checkpoint.uri: write that too",
    ),
    "checkpoints at a place that cannot be written": (
        {"checkpoint": {"uri": "https://example.com/a"}},
        "write the URI of a folder in a bucket, such as s3://bucket/checkpoints/net, or in a claim",
    ),
    "a claim of checkpoints with keys": (
        {"checkpoint": {"uri": "pvc://shared/net", "credentialsSecretName": "keys"}},
        "remove checkpoint.credentialsSecretName: a claim (pvc://) needs none",
    ),
    "checkpoints outside of their claim": (
        {"checkpoint": {"uri": "pvc://shared/../net"}},
        "write a checkpoint.uri without the folders '.' and '..'",
    ),
    "no checkpoint to keep": ({"checkpoint": {"keep": 0}}, "greater than or equal to 1"),
    "no criterion to stop by": ({"stop": {}}, "write at least one of stop.lossBelow"),
    "a metric without patience": (
        {"stop": {"maxEpochs": 3, "metric": "accuracy"}},
        "stop.metric, stop.mode and stop.minDelta belong to stop.patience",
    ),
    "a patience of nothing": ({"stop": {"patience": 0}}, "should be greater than or equal to 1"),
    "a quantity that is none": (
        {"resources": {"limits": {"memory": "much"}}},
        "spec.resources.limits.memory",
    ),
    "a deadline of no time": ({"activeDeadlineSeconds": 0}, "greater than or equal to 1"),
    "a gate without a condition": (
        {"package": {**GATED, "gates": [{"metric": "accuracy"}]}},
        "write at least one of successCondition, maxRatioToServed and minRatioToServed",
    ),
    "a gate with a ratio to nothing": (
        {"package": {**GATED, "gates": [{"metric": "loss", "maxRatioToServed": "1.02"}]}},
        "write package.comparedWith.name, the ModelDeployment whose archive the ratios",
    ),
    "a gate whose ratio is no decimal number": (
        {
            "package": {
                **GATED,
                "gates": [{"metric": "loss", "minRatioToServed": "98%"}],
                "comparedWith": {"name": "web"},
            }
        },
        "write a decimal number in quotes, such as 1.02",
    ),
    "an evaluation that is no Python file": (
        {"package": {**GATED, "samples": {"file": "rows.jsonl", "evaluate": "judge.sh"}}},
        "write a Python file and a function in it, such as evaluate.py:evaluate",
    ),
    "a gate whose condition is none": (
        {"package": {**GATED, "gates": [{"metric": "a", "successCondition": "a > 1"}]}},
        "write comparisons of result with numbers",
    ),
    "two gates for one metric": (
        {"package": {**GATED, "gates": [{"metric": "a", "successCondition": "result > 1"}] * 2}},
        "Duplicate value",
    ),
    "samples that would be answered before what they need is installed": (
        {
            "package": {
                "serializedFile": "m.pt",
                "handler": "h.py",
                "requirementsFile": "requirements.txt",
                "installRequirements": "AtStart",
                "samples": {"file": "rows.jsonl"},
            }
        },
        "write package.installRequirements: AtPackaging beside package.samples",
    ),
    "samples whose answers may differ by all": (
        {
            "package": {
                "serializedFile": "m.pt",
                "handler": "h.py",
                "samples": {"file": "rows.jsonl", "tolerance": 2},
            }
        },
        "spec.package.samples.tolerance",
    ),
    "candidates without rows to compare answers by": (
        {"package": {"serializedFile": "m.pt2", "handler": "tensor", "optimize": {}}},
        "write package.samples, with the rows",
    ),
    "candidates of a model that is not exported": (
        {"package": {**OPTIMIZED, "serializedFile": "m.pt"}},
        "write it with slipway.export, and name it in package.serializedFile, such as model.pt2",
    ),
    "candidates for a handler of the user's own": (
        {"package": {**OPTIMIZED, "handler": "h.py"}},
        "write one of image-classification, sequence, tabular, tensor, text-classification, "
        "token-classification in package.handler",
    ),
    "an unknown candidate": (
        {"package": {**OPTIMIZED, "optimize": {"candidates": ["Int4"]}}},
        'supported values: "Onnx", "Int8Dynamic", "Int8Static", "TorchaoInt8"',
    ),
    "a candidate twice": (
        {"package": {**OPTIMIZED, "optimize": {"candidates": ["Onnx", "Onnx"]}}},
        "Duplicate value",
    ),
    "no candidate": (
        {"package": {**OPTIMIZED, "optimize": {"candidates": []}}},
        "spec.package.optimize.candidates",
    ),
    "a package without a handler": (
        {"package": {"serializedFile": "model.pt"}},
        "spec.package.handler: Required value",
    ),
    "a handler that is neither a file nor built in": (
        {"package": {"serializedFile": "m.pt", "handler": "image-clasification"}},
        "write a Python file, such as handler.py or handler.py:function, or one of "
        "image-classification, sequence, sklearn, tabular, tensor, text-classification, "
        "token-classification, or TorchServe's own",
    ),
    "a handler's function that is no name": (
        {"package": {"serializedFile": "m.pt", "handler": "handler.py:Flowers.handle"}},
        "write a Python file, such as handler.py or handler.py:function",
    ),
    "a handler of texts without a vocabulary": (
        {
            "package": {
                "serializedFile": "m.pt",
                "handler": "text-classification",
                "extraFiles": ["my-vocab.txt"],
            }
        },
        "needs vocab.txt or tokenizer.py: write its name in package.extraFiles",
    ),
    "a handler of tokens without a vocabulary": (
        {"package": {"serializedFile": "m.pt", "handler": "token-classification"}},
        "needs vocab.txt or tokenizer.py: write its name in package.extraFiles",
    ),
    "a model name with a blank": (
        {"package": {"serializedFile": "m.pt", "handler": "h.py", "modelName": "my model"}},
        "write a model name of at most 63 letters",
    ),
    "a version of words": (
        {"package": {"serializedFile": "m.pt", "handler": "h.py", "modelVersion": "latest"}},
        "write a version of numbers joined by dots, such as 1.0",
    ),
    "an image with a blank": ({"image": "my image"}, "write an image reference"),
    "an unknown field": ({"node": 2}, 'unknown field "spec.node"'),
}


@pytest.mark.parametrize("case", JOB_REFUSALS)
def test_a_training_job_is_refused_with_a_message_for(
    case: str, kubectl: Kubectl, job: dict[str, Any]
) -> None:
    spec, message = JOB_REFUSALS[case]
    assert message in refusal(kubectl, _with(job, **spec))


DEPLOYMENT_REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "a claim of two kinds": (
        {
            "resourceClaims": [
                {"name": "gpu", "resourceClaimName": "a", "resourceClaimTemplateName": "b"}
            ]
        },
        "write exactly one of resourceClaimName",
    ),
    "a claim of no kind": (
        {"resourceClaims": [{"name": "gpu"}]},
        "write exactly one of resourceClaimName",
    ),
    "variables from nowhere": (
        {"server": {"envFrom": [{"prefix": "MY_"}]}},
        "write exactly one of configMapRef and secretRef",
    ),
    "a taint with a value that does not count": (
        {"tolerations": [{"key": "gpu", "operator": "Exists", "value": "a100"}]},
        "remove value, or write operator: Equal",
    ),
    "two models": (
        {"model": {"trainingJob": {"name": "a"}, "uri": "s3://a/b.mar", "sha256": SHA}},
        "write exactly one of model.trainingJob (its package is served), model.trainingJobSelector",
    ),
    "no model": ({"model": {}}, "write exactly one of model.trainingJob"),
    "a URI without its digest": (
        {"model": {"uri": "s3://a/b.mar"}},
        "write model.sha256, the archive's digest, beside model.uri",
    ),
    "a digest cut short": (
        {"model": {"uri": "s3://a/b.mar", "sha256": "abc"}},
        "spec.model.sha256",
    ),
    "a digest in capitals": (
        {"model": {"uri": "s3://a/b.mar", "sha256": "A" * 64}},
        "write the 64 lower-case hexadecimal digits that sha256sum prints",
    ),
    "clients that are pods and addresses at once": (
        {"expose": {"allowedFrom": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}},
        "write either ipBlock, or podSelector, namespaceSelector or both",
    ),
    "clients of no kind": (
        {"expose": {"allowedFrom": [{}]}},
        "write either ipBlock, or podSelector, namespaceSelector or both",
    ),
    "a list of no clients": ({"expose": {"allowedFrom": []}}, "should have at least 1 items"),
    "an address without its range": (
        {"expose": {"allowedFrom": [{"ipBlock": {"cidr": "10.0.0.1"}}]}},
        "write a range of addresses, such as 10.0.0.0/8",
    ),
    "a URI with its password": (
        {"model": {"uri": "https://me:secret@a/b.mar", "sha256": SHA}},
        "remove user and password from the URI: name the Secret that opens it in model.cred",
    ),
    "a query behind s3": (
        {"model": {"uri": "s3://a/b.mar?versionId=1", "sha256": SHA}},
        "behind .mar there may be a query, as in a presigned https:// address",
    ),
    "a URI of another scheme": (
        {"model": {"uri": "ftp://a/b.mar", "sha256": SHA}},
        "write the address of a .mar archive that starts with s3://, http:// or https://",
    ),
    "credentials for a training job's model": (
        {"model": {"trainingJob": {"name": "a"}, "credentialsSecretName": "s"}},
        "write model.credentialsSecretName only beside model.uri",
    ),
    "how a training job's archive was encrypted": (
        {
            "model": {
                "trainingJob": {"name": "a"},
                "encryption": {"keySecretRef": {"name": "keys", "key": "keyset.json"}},
            }
        },
        "write model.encryption only beside model.uri",
    ),
    "a key that no Secret has": (
        {
            "model": {
                "uri": "s3://a/b.mar",
                "sha256": SHA,
                "encryption": {"keySecretRef": {"name": "keys", "key": "../keyset"}},
            }
        },
        "write a key of ",
    ),
    "associated data that the kubelet would expand": (
        {
            "model": {
                "uri": "s3://a/b.mar",
                "sha256": SHA,
                "encryption": {
                    "keySecretRef": {"name": "keys", "key": "keyset.json"},
                    "associatedData": "$(HOME)",
                },
            }
        },
        "write the associated data as status.package.encryption says it",
    ),
    "public keys from two places": (
        {
            "model": {
                "trainingJob": {"name": "a"},
                "verification": {
                    "publicKeySecretRef": {"name": "keys", "key": "public.pem"},
                    "publicKeyConfigMapRef": {"name": "keys", "key": "public.pem"},
                },
            }
        },
        "write exactly one of verification.publicKeySecretRef and",
    ),
    "a signature beside a presigned address": (
        {
            "model": {
                "uri": "https://a/b.mar?X-Amz-Signature=ab",
                "sha256": SHA,
                "verification": {"publicKeySecretRef": {"name": "keys", "key": "public.pem"}},
            }
        },
        "write a model.uri without a query beside model.verification",
    ),
    "bounds of autoscaling that cross": (
        {"autoscaling": {"minReplicas": 3, "maxReplicas": 2}},
        "write a maxReplicas that is not below minReplicas",
    ),
    "a rolling update that can replace nothing": (
        {"rollout": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
        "write a maxSurge or a maxUnavailable above 0",
    ),
    "a strategy that there is not": ({"rollout": {"strategy": "Sudden"}}, "RollingUpdate"),
    "a port that there is not": ({"expose": {"service": {"port": 70000}}}, "65535"),
    "a rollout given up before a model may have loaded": (
        {"server": {"startupTimeoutSeconds": 900}},
        "write a rollout.progressDeadlineSeconds above server.startupTimeoutSeconds",
    ),
    "fewer than no replicas": ({"replicas": -1}, "greater than or equal to 0"),
    "an unknown field": ({"replica": 2}, 'unknown field "spec.replica"'),
}


@pytest.mark.parametrize("case", DEPLOYMENT_REFUSALS)
def test_a_model_deployment_is_refused_with_a_message_for(
    case: str, kubectl: Kubectl, deployment: dict[str, Any]
) -> None:
    spec, message = DEPLOYMENT_REFUSALS[case]
    assert message in refusal(kubectl, _with(deployment, **spec))


PLACED: dict[str, Any] = {
    "nodeSelector": {"pool": "gpu"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "urgent",
    "runtimeClassName": "nvidia",
    "serviceAccountName": "identity",
    "imagePullSecrets": [{"name": "registry"}],
    "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "one-gpu"}],
    "sharedMemory": "2Gi",
    "podTemplate": {"spec": {"volumes": [{"name": "notes", "emptyDir": {}}]}},
}


def test_both_kinds_are_placed_and_given_variables_by_the_same_fields(
    kubectl: Kubectl, job: dict[str, Any], deployment: dict[str, Any]
) -> None:
    variables = {"envFrom": [{"secretRef": {"name": "keys", "optional": True}, "prefix": "MY_"}]}
    kubectl.apply(_with(job, **PLACED, **variables), "--validate=strict")
    kubectl.apply(_with(deployment, **PLACED, server=variables), "--validate=strict")
    trained = (kubectl.get("tj", "job") or {})["spec"]
    served = (kubectl.get("mdep", "model") or {})["spec"]
    assert PLACED.items() <= trained.items()
    assert PLACED.items() <= served.items()
    assert trained["envFrom"] == served["server"]["envFrom"] == variables["envFrom"]


@pytest.mark.parametrize("name", ["a" * 41, "with.dot", "7b-chat"])
def test_a_name_that_children_could_not_carry_is_refused(
    name: str, kubectl: Kubectl, job: dict[str, Any], deployment: dict[str, Any]
) -> None:
    for manifest in (job, deployment):
        manifest["metadata"]["name"] = name
        assert "choose a name of at most 40 characters" in refusal(kubectl, manifest)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nodes", 3),
        ("entrypoint", "other.py"),
        ("image", "another:1"),
        ("args", ["--more"]),
        ("source", {"image": {"path": "/app"}}),
        ("resources", {"limits": {"cpu": "2"}}),
    ],
)
def test_what_a_training_job_is_cannot_change(
    field: str, value: Any, kubectl: Kubectl, job: dict[str, Any]
) -> None:
    kubectl.apply(job)
    assert f"{field} cannot" in refused_change(kubectl, _with(job, **{field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("suspend", True),
        ("backoffLimit", 3),
        ("activeDeadlineSeconds", 60),
        ("ttlSecondsAfterFinished", 60),
        ("queueDeadlineSeconds", 60),
        ("progressDeadlineSeconds", 60),
        ("cleanPodPolicy", "All"),
        ("restart", {"maxRestarts": 5}),
    ],
)
def test_how_long_a_training_job_may_go_on_can_change(
    field: str, value: Any, kubectl: Kubectl, job: dict[str, Any]
) -> None:
    kubectl.apply(job)
    kubectl.apply(_with(job, **{field: value}))
    assert (kubectl.get("tj", "job") or {})["spec"][field] == value


def test_an_archive_may_have_a_presigned_address(
    kubectl: Kubectl, deployment: dict[str, Any]
) -> None:
    uri = "https://a.example/b.mar?X-Amz-Expires=3600&X-Amz-Signature=" + "0f" * 900
    kubectl.apply({**deployment, "spec": {"model": {"uri": uri, "sha256": SHA}}})
    assert (kubectl.get("mdep", "model") or {})["spec"]["model"]["uri"] == uri


@pytest.mark.parametrize("before", [None, {"serializedFile": "m.pt", "handler": "a.py"}])
def test_the_package_of_a_training_job_can_be_added_and_changed(
    before: dict[str, str] | None, kubectl: Kubectl, job: dict[str, Any]
) -> None:
    package = {"serializedFile": "m.pt", "handler": "b.py", "repeat": 1}
    kubectl.apply(_with(job, package=before))
    kubectl.apply(_with(job, package=package))
    live = (kubectl.get("tj", "job") or {})["spec"]["package"]
    assert {field: live[field] for field in package} == package
    assert "modelVersion" not in live


def test_a_model_deployment_is_scaled_by_kubectl_scale(
    kubectl: Kubectl, deployment: dict[str, Any]
) -> None:
    kubectl.apply(deployment)
    kubectl.run("scale", "mdep/model", "--replicas=3")
    assert (kubectl.get("mdep", "model") or {})["spec"]["replicas"] == 3


def test_the_printed_columns_tell_the_state_at_a_glance(
    kubectl: Kubectl, job: dict[str, Any], deployment: dict[str, Any]
) -> None:
    kubectl.apply([job, deployment])
    jobs = kubectl.run("get", "tj").splitlines()[0].split()
    assert jobs == ["NAME", "PHASE", "REASON", "PERCENT", "LOSS", "NODES", "AGE"]
    models = kubectl.run("get", "mdep").splitlines()[0].split()
    assert models == [
        *("NAME", "READY", "REASON", "REVISION", "REPLICAS", "AVAILABLE", "URL", "AGE"),
    ]
    both = kubectl.run("get", "slipway", "-o", "name")
    assert "trainingjob" in both
    assert "modeldeployment" in both


def test_every_example_is_accepted(kubectl: Kubectl) -> None:
    examples = [path for path in sorted((ROOT / "examples").iterdir()) if path.is_dir()]
    assert examples
    for folder in examples:
        kubectl.run("apply", "--dry-run=server", "-f", str(folder))
