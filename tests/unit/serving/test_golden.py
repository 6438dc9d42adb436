"""The children's manifests, against golden files: ``UPDATE_GOLDEN=1 pytest ...`` rewrites them."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.api.fields.quantity import parse_quantity
from slipway.plan import Manifest
from slipway.serving.children.pod.configuration import heap_bytes
from tests.unit.serving.world import JOB_MODEL, SETTINGS, SHA, World, training_job

GOLDEN = Path(__file__).parent / "golden"

SPECS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "training-job": {
        "model": {**JOB_MODEL, "name": "flowers"},
        "replicas": 2,
        "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "one-gpu"}],
    },
    "verified": {
        "model": {
            **JOB_MODEL,
            "verification": {"publicKeyConfigMapRef": {"name": "signers", "key": "public.pem"}},
        },
    },
    "encrypted": {
        "model": {
            "uri": "https://models.example/flowers.mar",
            "sha256": "cd" * 32,
            "encryption": {
                "keySecretRef": {"name": "keys", "key": "archives"},
                "associatedData": "team-b/flowers/uid/1/flowers-1.0.mar",
            },
        },
    },
    "python": {
        "server": {
            "runtime": "Python",
            "workers": 2,
            "resources": {
                "requests": {"cpu": 2},
                "limits": {"cpu": "4", "memory": "8Gi", "nvidia.com/gpu": 2},
            },
        },
        "rollout": {"smoke": {"request": [[5.1, 3.5]]}},
    },
    "container": {
        "model": {"uri": "s3://slipway/shared/iris/", "sha256": SHA},
        "server": {
            "runtime": "Container",
            "container": {
                "image": "registry.example/team/iris-flask:3",
                "command": ["gunicorn"],
                "args": ["--bind=0.0.0.0:5000", "app:app"],
                "port": 5000,
                "env": [{"name": "THREADS", "value": "2"}],
                "envFrom": [{"secretRef": {"name": "keys", "optional": True}}],
                "readiness": {"path": "/healthz"},
                "drain": {"path": "/flush"},
                "metricsPath": "/metrics",
                "metricsPort": 5001,
                "predictPath": "/v1/models/iris:predict",
                "paths": ["/v1/"],
                "maxConcurrentRequests": 16,
            },
        },
        "rollout": {"smoke": {"request": [[5.1, 3.5]]}},
    },
    "everything": {
        "model": {
            "name": "flowers",
            "uri": "https://models.example/flowers.mar",
            "sha256": "cd" * 32,
            "credentialsSecretName": "flowers-store",
        },
        "server": {
            "image": "registry.example/team/server:7",
            "workers": 4,
            "resources": {
                "requests": {"cpu": 2},
                "limits": {"cpu": "8", "memory": "16Gi", "nvidia.com/gpu": 1},
            },
            "env": [
                {"name": "OMP_NUM_THREADS", "value": "1"},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
            ],
            "envFrom": [
                {"secretRef": {"name": "keys", "optional": True}, "prefix": "MY_"},
                {"configMapRef": {"name": "words"}},
            ],
            "batchSize": 8,
            "maxBatchDelayMilliseconds": 20,
            "responseTimeoutSeconds": 30,
            "startupTimeoutSeconds": 1200,
            "maxRequestBytes": 1_000_000,
            "maxResponseBytes": 20_000_000,
            "drainSeconds": 60,
        },
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"podAntiAffinity": {}},
        "imagePullSecrets": [{"name": "registry"}],
        "sharedMemory": "2Gi",
        "autoscaling": {
            "minReplicas": 3,
            "maxReplicas": 9,
            "targetCPUUtilizationPercentage": 60,
        },
        "rollout": {
            "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1},
            "progressDeadlineSeconds": 1800,
            "smoke": {"request": [[5.1, 3.5]], "expected": [0.25], "tolerance": "0.001"},
        },
        "expose": {
            "service": {"type": "LoadBalancer", "port": 8080},
            "cors": {"allowOrigins": ["https://app.example"], "allowHeaders": ["x-key"]},
            "allowedFrom": [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}},
                {"podSelector": {"matchLabels": {"app": "shop"}}, "namespaceSelector": {}},
                {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
            ],
        },
        "podDisruptionBudget": {"maxUnavailable": "20%"},
    },
}


class Literal(yaml.SafeDumper):
    """Writes texts of several lines as they are, for people to read."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


Literal.add_representer(str, _text)


def children(spec: dict[str, Any]) -> list[Manifest]:
    world = World(**spec)
    world.job = training_job("Succeeded")
    return list(world.plan().apply)


@pytest.mark.parametrize("name", SPECS)
def test_children_are_as_in_the_golden_file(name: str) -> None:
    path = GOLDEN / f"{name}.yaml"
    made = children(SPECS[name])
    if os.environ.get("UPDATE_GOLDEN"):
        text = yaml.dump_all(made, Dumper=Literal, sort_keys=False, width=100)
        path.write_text(text, encoding="utf-8")
    assert list(yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader)) == made


def pod(name: str) -> dict[str, Any]:
    (workload,) = [one for one in children(SPECS[name]) if one["kind"] == "Deployment"]
    spec: dict[str, Any] = workload["spec"]["template"]["spec"]
    return spec


def containers(name: str) -> dict[str, dict[str, Any]]:
    spec = pod(name)
    return {one["name"]: one for one in (*spec["initContainers"], *spec["containers"])}


@pytest.mark.parametrize("name", SPECS)
def test_pods_keep_to_the_restricted_standard(name: str) -> None:
    spec = pod(name)
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(name).values():
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("name", SPECS)
def test_only_fetch_gets_credentials_and_it_shares_no_writable_folder_with_the_model(
    name: str,
) -> None:
    found = containers(name)
    holders = {
        container
        for container in found
        if any(m["name"].startswith("slipway-") for m in found[container]["volumeMounts"])
    }
    assert holders == {"fetch"}
    writable = {
        container: {m["name"] for m in found[container]["volumeMounts"] if not m.get("readOnly")}
        for container in found
    }
    assert not writable["fetch"] & writable["torchserve"]
    assert writable["envoy"] == {"admin"}


@pytest.mark.parametrize("name", SPECS)
def test_only_envoy_has_the_folder_from_which_it_is_commanded(name: str) -> None:
    mounts = {name: one["volumeMounts"] for name, one in containers(name).items()}
    assert [c for c, found in mounts.items() if "admin" in {m["name"] for m in found}] == ["envoy"]


@pytest.mark.parametrize("name", SPECS)
def test_envoy_refuses_work_before_its_limit_ends_it(name: str) -> None:
    limit = parse_quantity(containers(name)["envoy"]["resources"]["limits"]["memory"])
    assert limit is not None
    assert (
        0.5 * float(limit)
        < heap_bytes(World(**SPECS[name]).snapshot().deployment, SETTINGS)
        < 0.9 * float(limit)
    )


@pytest.mark.parametrize("name", SPECS)
def test_the_users_variables_are_each_there_once(name: str) -> None:
    for container in containers(name).values():
        variables = [one["name"] for one in container.get("env", ())]
        assert len(variables) == len(set(variables))


@pytest.mark.parametrize("name", SPECS)
def test_a_pod_has_time_to_drain_and_to_answer(name: str) -> None:
    server = SPECS[name].get("server", {})
    needed = server.get("drainSeconds", 30) + server.get("responseTimeoutSeconds", 120)
    assert pod(name)["terminationGracePeriodSeconds"] > needed


@pytest.mark.parametrize("name", sorted(set(SPECS) - {"python", "container"}))
def test_a_worker_refuses_what_java_would_take_for_a_broken_frame(name: str) -> None:
    variables = {one["name"]: one.get("value") for one in containers(name)["torchserve"]["env"]}
    files = [one["data"] for one in children(SPECS[name]) if "immutable" in one]
    limit = variables["SLIPWAY_MAX_RESPONSE_BYTES"]
    assert f"max_response_size={limit}" in files[0]["config.properties"].splitlines()


@pytest.mark.parametrize("name", SPECS)
def test_torchserve_always_asks_for_cpu(name: str) -> None:
    assert "cpu" in containers(name)["torchserve"]["resources"]["requests"]
