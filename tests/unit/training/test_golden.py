"""The children's manifests, against golden files: ``UPDATE_GOLDEN=1 pytest ...`` rewrites them."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.plan import Manifest
from tests.unit.training.simulation import PACKAGE, Cluster, spec, trained

GOLDEN = Path(__file__).parent / "golden"

SPECS: dict[str, dict[str, Any]] = {
    "single-pod": spec(),
    "two-nodes": spec(
        nodes=2,
        args=["--epochs", "3"],
        env=[
            {"name": "ZETA", "value": "1"},
            {"name": "ALPHA", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "alpha"}}},
            {"name": "HOME", "value": "/slipway/output"},
        ],
        resources={"requests": {"cpu": "500m"}, "limits": {"memory": "1Gi"}},
        backoffLimit=2,
        activeDeadlineSeconds=600,
    ),
    "elastic": spec(nodes=2, elastic={"minNodes": 1, "maxNodes": 3}),
    "one-by-one": spec(
        nodes=2,
        restart={
            "policy": "Pod",
            "maxRestarts": 2,
            "rules": [
                {"onExitCodes": {"operator": "In", "values": [42, 3]}, "action": "Fail"},
                {"onDisruption": True, "action": "Restart"},
            ],
        },
    ),
    "queued-gang": spec(nodes=2, queueName="team", gang="Workload"),
    "gpu-in-user-image": spec(
        nodes=2,
        image="registry.example/team/train:7",
        source={"image": {"path": "/app"}},
        entrypoint="src/train.py",
        resources={"limits": {"nvidia.com/gpu": 4, "memory": "64Gi"}},
        package={"serializedFile": "model.pt", "handler": "text_classifier"},
    ),
    "plain-with-everything": spec(
        framework="plain",
        nodes=2,
        entrypoint=None,
        command=["sh", "run.sh"],
        args=["--fast"],
        sharedMemory="2Gi",
        nodeSelector={"gpu": "a100"},
        tolerations=[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        topologySpread=[{"topologyKey": "kubernetes.io/hostname"}],
        exclusiveTopologyKey="topology.kubernetes.io/zone",
        priorityClassName="high",
        runtimeClassName="gvisor",
        resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "one-gpu"}],
        podTemplate={
            "metadata": {"labels": {"team": "vision"}, "annotations": {"note": "x"}},
            "spec": {
                "serviceAccountName": "default",
                "initContainers": [
                    {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"},
                ],
                "containers": [
                    {
                        "name": "trainer",
                        "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
                    }
                ],
                "volumes": [
                    {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
                ],
            },
        },
    ),
    "checkpoints": spec(
        nodes=2,
        checkpoint={
            "uri": "s3://bucket/checkpoints/net",
            "credentialsSecretName": "bucket-keys",
            "intervalSteps": 100,
            "keep": 2,
            "resume": False,
            "gracePeriodSeconds": 60,
        },
        stop={"lossBelow": 0.1, "patience": 3},
    ),
    "checkpoints-in-a-claim": spec(nodes=2, checkpoint={"uri": "pvc://shared/net"}),
    "git-and-inputs": spec(
        source={
            "git": {
                "url": "https://git.example/team/net.git",
                "ref": "v1",
                "path": "training",
                "credentialsSecretName": "git",
            }
        },
        entrypoint=None,
        module="net.train",
        inputs=[
            {"name": "rows", "uri": "s3://slipway/shared/rows.csv", "sha256": "ab" * 32},
            {"name": "images", "uri": "gs://bucket/images/", "credentialsSecretName": "google"},
            {"name": "model", "uri": "hf://team/net@main/"},
            {"name": "shared", "uri": "pvc://data/train/set"},
            {"name": "checked", "uri": "pvc://data/rows.csv", "sha256": "cd" * 32},
        ],
        package={"serializedFile": "model.pt", "handler": "handler.py"},
        podTemplate={"spec": {"imagePullSecrets": [{"name": "registry"}]}},
    ),
    "archive": spec(
        source={"archive": {"uri": "s3://slipway/shared/code.tar.gz", "sha256": "ab" * 32}},
        image="registry.example/team/train:7",
        package={"serializedFile": "model.pt", "handler": "handler.py"},
    ),
    "encrypted": spec(
        package={**PACKAGE, "encrypt": {"keySecretRef": {"name": "keys", "key": "archives"}}}
    ),
    "signed": spec(
        package={**PACKAGE, "sign": {"keySecretRef": {"name": "keys", "key": "signer.pem"}}}
    ),
    "samples": spec(
        package={
            **PACKAGE,
            "samples": {
                "file": "samples.jsonl",
                "tolerance": "1e-3",
                "timeoutSeconds": 60,
                "resources": {"limits": {"memory": "8Gi"}},
            },
            "sign": {"keySecretRef": {"name": "keys", "key": "signer.pem"}},
        }
    ),
    "optimized": spec(
        package={
            "serializedFile": "model.pt2",
            "handler": "tensor",
            "samples": {"file": "samples.jsonl"},
            "optimize": {"objective": "Size", "candidates": ["Int8Static"], "tolerance": "0.02"},
        }
    ),
    "package": spec(
        package={
            **PACKAGE,
            "modelName": "diabetes",
            "modelVersion": "2.1",
            "extraFiles": ["names.json"],
            "requirementsFile": "requirements.txt",
            "config": {"batchSize": 8, "handler": {"threshold": 0.5}},
        }
    ),
}


def children(spec: dict[str, Any]) -> list[Manifest]:
    """Return all that a job applies from its start to its archive."""
    cluster = Cluster(spec)
    made = list(cluster.reconcile().apply)
    if cluster.job("keys"):  # the Jobs' controller makes its pod, and sees that it has ended
        for _ in range(2):
            cluster.control()
        made += cluster.reconcile().apply
    made += [one for one in cluster.plan().apply if one not in made]
    cluster.settle()
    cluster.start()
    cluster.finish_all(message=trained())
    cluster.control()
    made += [one for one in cluster.plan().apply if one not in made]
    return made


@pytest.mark.parametrize("name", SPECS)
def test_children_are_as_in_the_golden_file(name: str) -> None:
    path = GOLDEN / f"{name}.yaml"
    made = children(SPECS[name])
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(yaml.safe_dump_all(made, sort_keys=False, width=100), encoding="utf-8")
    assert list(yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader)) == made


def pods(name: str) -> list[dict[str, Any]]:
    jobs = [one for one in children(SPECS[name]) if one["kind"] == "Job"]
    return [job["spec"]["template"]["spec"] for job in jobs]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


@pytest.mark.parametrize("name", SPECS)
def test_every_pod_meets_the_restricted_pod_security_standard(name: str) -> None:
    for pod in pods(name):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in containers(pod):
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["name"] == "proxy" or security["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("name", SPECS)
def test_only_our_own_containers_get_the_stores_credentials(name: str) -> None:
    with_secret = {
        container["name"]
        for pod in pods(name)
        for container in containers(pod)
        if any(m["name"].startswith("slipway-secret-") for m in container.get("volumeMounts", ()))
    }
    assert "trainer" not in with_secret
    assert with_secret <= {"agent", "packager", "builder", "source", "input-rows", "input-images"}


@pytest.mark.parametrize("name", SPECS)
def test_user_code_cannot_write_where_a_container_with_credentials_looks_for_code(
    name: str,
) -> None:
    for pod in pods(name):
        scratch = {
            container["name"]: next(
                mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == "/tmp"
            )
            for container in containers(pod)
            if container["name"] not in ("source", "proxy", "keys")
            and not container["name"].startswith("input-")
        }
        assert "fetch-tmp" not in scratch.values()
        assert len(set(scratch.values())) == len(scratch)


@pytest.mark.parametrize("name", SPECS)
def test_every_mount_has_its_volume_and_every_variable_is_there_once(name: str) -> None:
    for pod in pods(name):
        volumes = {volume["name"] for volume in pod.get("volumes", ())}
        for container in containers(pod):
            mounts = container.get("volumeMounts", ())
            assert {mount["name"] for mount in mounts} <= volumes
            names = [variable["name"] for variable in container.get("env", ())]
            assert len(names) == len(set(names))


def test_the_users_variables_come_last_and_in_their_order() -> None:
    trainer = pods("two-nodes")[0]["containers"][0]
    assert [one["name"] for one in trainer["env"]][-3:] == ["ZETA", "ALPHA", "HOME"]


def test_the_index_is_defined_before_the_address_that_refers_to_it() -> None:
    names = [one["name"] for one in pods("two-nodes")[0]["containers"][0]["env"]]
    assert names.index("JOB_COMPLETION_INDEX") < names.index("SLIPWAY_LOCAL_ADDR")


def test_packaging_asks_for_no_gpu() -> None:
    packaging = pods("gpu-in-user-image")[1]
    assert not any("nvidia.com/gpu" in str(one["resources"]) for one in containers(packaging))
