"""The pod template: what it adds to the training pods, and what it may not touch."""

from typing import Any

import pytest

from slipway.api.fields.own_pieces import TRAINING_POD
from slipway.pods.overlay import OverlayError, merge_pod
from slipway.training import reasons
from tests.unit.training.simulation import Cluster, spec


def base() -> dict[str, Any]:
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001},
        "initContainers": [{"name": "agent"}],
        "containers": [
            {
                "name": "trainer",
                "command": ["python3", "launch.py"],
                "env": [{"name": "A", "value": "1"}],
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
    }


def test_volumes_and_mounts_are_added_to_those_that_are_there() -> None:
    data = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    mounted = {"name": "data", "mountPath": "/data"}
    overlay = {
        "volumes": [data],
        "containers": [{"name": "trainer", "volumeMounts": [mounted]}],
    }
    merged = merge_pod(base(), overlay, TRAINING_POD)
    assert merged["volumes"] == [*base()["volumes"], data]
    (trainer,) = merged["containers"]
    assert trainer["volumeMounts"] == [*base()["containers"][0]["volumeMounts"], mounted]
    assert trainer["command"] == ["python3", "launch.py"]


def test_lists_without_names_are_extended() -> None:
    more = {"key": "spot", "operator": "Exists"}
    merged = merge_pod(base(), {"tolerations": [more]}, TRAINING_POD)
    assert merged["tolerations"] == [*base()["tolerations"], more]


def test_an_added_container_has_no_privileges_unless_it_asks_for_them() -> None:
    sidecar = {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"}
    merged = merge_pod(base(), {"initContainers": [sidecar]}, TRAINING_POD)
    assert [one["name"] for one in merged["initContainers"]] == ["agent", "proxy"]
    added = merged["initContainers"][1]["securityContext"]
    assert added == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert "securityContext" not in merged["initContainers"][0]


def test_defaults_that_are_the_users_business_can_be_changed() -> None:
    overlay = {
        "automountServiceAccountToken": True,
        "securityContext": {"runAsUser": 5},
        "serviceAccountName": "trainer",
    }
    merged = merge_pod(base(), overlay, TRAINING_POD)
    assert merged["automountServiceAccountToken"] is True
    assert merged["securityContext"] == {"runAsNonRoot": True, "runAsUser": 5}
    assert merged["serviceAccountName"] == "trainer"


def _mount(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "mountPath": path}


def test_a_sidecar_may_mount_what_the_script_writes() -> None:
    mounted = {"name": "board", "volumeMounts": [_mount("output", "/slipway/output")]}
    merged = merge_pod(base(), {"containers": [mounted]}, TRAINING_POD)
    assert merged["containers"][1]["volumeMounts"] == mounted["volumeMounts"]


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ({"restartPolicy": "OnFailure"}, "podTemplate.spec.restartPolicy cannot be 'OnFailure'"),
        (
            {"enableServiceLinks": False, "securityContext": {"fsGroup": {}, "$patch": "delete"}},
            r"podTemplate.spec.securityContext.\$patch is a directive",
        ),
        (
            {"containers": [{"name": "trainer", "command": ["sh"]}]},
            r"podTemplate.spec.containers\[trainer\].command cannot be \['sh'\]",
        ),
        (
            {"containers": [{"name": "trainer", "env": [{"name": "A", "value": "2"}]}]},
            r"containers\[trainer\].env\[A\].value cannot be '2': the operator needs '1'",
        ),
        ({"initContainers": [{"name": "agent"}]}, "the operator's own container agent"),
        ({"securityContext": {"runAsUser": 10002}}, "securityContext.runAsUser cannot be 10002"),
        ({"securityContext": {"runAsUser": None}}, "runAsUser cannot be None: write a number"),
        (
            {"containers": [{"name": "trainer", "securityContext": {"runAsUser": 10002}}]},
            r"podTemplate.spec.containers\[trainer\].securityContext.runAsUser cannot be 10002",
        ),
        (
            {"initContainers": [{"name": "x", "securityContext": {"runAsUser": 10002}}]},
            r"initContainers\[x\].securityContext.runAsUser cannot be 10002: write a number",
        ),
        ({"containers": [{"name": "input-x"}]}, "the operator's own container input-x"),
        ({"initContainers": [{"name": "trainer"}]}, "the operator's own container trainer"),
        ({"volumes": [{"name": "tmp", "emptyDir": None}]}, r"volumes\[tmp\].emptyDir cannot be"),
        ({"volumes": [{"emptyDir": {}}]}, "An item of podTemplate.spec.volumes has no name"),
        ({"volumes": [{"name": {"a": 1}}]}, "An item of podTemplate.spec.volumes has no name"),
        ({"volumes": {"name": "a"}}, "podTemplate.spec.volumes cannot be"),
        (
            {"containers": [{"name": "x", "securityContext": ["a"]}]},
            "The securityContext of podTemplate's container x is no object: write it as a Pod",
        ),
        ({"containers": ["a"]}, "podTemplate.spec.containers is not a list of objects"),
        (
            {"containers": [{"name": "x", "volumeMounts": [_mount("slipway-save", "/x")]}]},
            r"containers\[x\].volumeMounts cannot have slipway-save: remove the mount",
        ),
        (
            {"initContainers": [{"name": "x", "volumeMounts": [_mount("agent-tmp", "/x")]}]},
            "volumes named slipway-\\*, agent-tmp and fetch-tmp are the operator's own",
        ),
        (
            {"containers": [{"name": "trainer", "volumeMounts": [_mount("d", "/x/../slipway/y")]}]},
            "cannot have /x/../slipway/y: choose another mountPath than in /slipway",
        ),
        ({"$patch": "replace"}, r"podTemplate.spec.\$patch is a directive: remove it"),
    ],
)
def test_an_overlay_is_refused_that(overlay: dict[str, Any], message: str) -> None:
    with pytest.raises(OverlayError, match=message):
        merge_pod(base(), overlay, TRAINING_POD)


def test_a_job_with_a_broken_overlay_fails_with_its_message_and_gets_no_children() -> None:
    overlay = {"spec": {"dnsPolicy": "None", "subdomain": "mine"}}
    cluster = Cluster(spec(podTemplate=overlay, nodes=2))
    cluster.settle()
    assert cluster.status["phase"] == "Failed"
    failed = next(one for one in cluster.status["conditions"] if one["type"] == reasons.FAILED)
    assert failed["reason"] == reasons.INVALID_POD_TEMPLATE
    assert "podTemplate.spec.subdomain cannot be 'mine'" in failed["message"]
    assert not [ref for ref in cluster.objects if ref.kind == "Job"]


def test_labels_and_annotations_join_the_operators_own() -> None:
    metadata = {"labels": {"team": "vision"}, "annotations": {"note": "x"}}
    cluster = Cluster(spec(podTemplate={"metadata": metadata}))
    job = next(one for one in cluster.plan().apply if one["kind"] == "Job")
    found = job["spec"]["template"]["metadata"]
    assert found["annotations"] == {
        "kubectl.kubernetes.io/default-container": "trainer",
        "note": "x",
    }
    assert found["labels"]["team"] == "vision"
    assert found["labels"]["slipway.dev/training-job"] == "quick"
