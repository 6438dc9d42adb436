"""Sources and inputs that init containers bring: what is said of them, and what is kept."""

import json
from typing import Any

import pytest

from slipway.training import reasons
from tests.unit.training.simulation import PACKAGE, Cluster, condition, spec, trained

GIT = {"git": {"url": "https://git.example/net", "ref": "main", "path": "src"}}
COMMIT = "0123456789" * 4
INPUT = {"name": "rows", "uri": "https://data.example/rows.csv"}


def created(**fields: Any) -> Cluster:
    cluster = Cluster(spec(**fields))
    cluster.settle()
    return cluster


def state(name: str, **state: Any) -> dict[str, Any]:
    return {"name": name, "state": state}


def brought(cluster: Cluster, revision: str) -> None:
    """Let the first pod's source be there, and its script run."""
    word = json.dumps({"reason": "Fetched", "exitCode": 0, "revision": revision})
    (pod, *_) = cluster.pods()
    pod["status"] = {
        "phase": "Running",
        "initContainerStatuses": [state("source", terminated={"exitCode": 0, "message": word})],
        "containerStatuses": [state("trainer", running={})],
    }
    cluster.settle()


def test_pods_that_fetch_are_told_apart_from_pods_that_wait() -> None:
    cluster = created(inputs=[INPUT])
    (pod,) = cluster.pods()
    pod["status"] = {
        "phase": "Pending",
        "initContainerStatuses": [state("input-rows", running={})],
    }
    cluster.settle()
    assert condition(cluster, "Running")["reason"] == reasons.FETCHING


@pytest.mark.parametrize(
    "reason",
    [
        reasons.SOURCE_NOT_FOUND,
        reasons.INPUT_NOT_FOUND,
        reasons.ACCESS_DENIED,
        reasons.DIGEST_MISMATCH,
        reasons.INVALID_ARCHIVE,
        reasons.SERVER_UNAVAILABLE,
        reasons.DISK_FULL,
    ],
)
def test_what_could_not_be_fetched_fails_the_job_with_its_own_reason(reason: str) -> None:
    cluster = created(inputs=[INPUT])
    (pod,) = cluster.pods()
    word = json.dumps({"reason": reason, "exitCode": 1, "message": "It is not there."})
    ended = {"exitCode": 1, "message": word, "finishedAt": "2026-01-01T12:00:01Z"}
    pod["status"] = {
        "phase": "Failed",
        "initContainerStatuses": [state("input-rows", terminated=ended)],
    }
    cluster.settle()
    failed = condition(cluster, "Failed")
    assert (failed["status"], failed["reason"]) == ("True", reason)
    assert "It is not there." in failed["message"]


def test_the_commit_that_ran_is_kept_and_is_the_one_that_is_packaged() -> None:
    cluster = created(source=GIT, package=PACKAGE)
    brought(cluster, COMMIT)
    assert cluster.status["sourceRevision"] == COMMIT
    cluster.finish_all(message=trained())
    cluster.settle()
    made = cluster.job("package")
    assert made is not None
    (container,) = made["spec"]["template"]["spec"]["initContainers"]
    told = {one["name"]: one.get("value") for one in container["env"]}
    assert json.loads(told["SLIPWAY_SOURCE"])["git"]["ref"] == COMMIT
    (packager,) = made["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one.get("value") for one in packager["env"]}
    assert json.loads(env["SLIPWAY_LINEAGE"])["sourceRevision"] == COMMIT
    assert env["SLIPWAY_SOURCE_DIR"] == "/slipway/source/src"


IMAGE, ROWS = "12" * 32, "34" * 32
CLAIM = {"name": "more", "uri": "pvc://data/more"}


def ran(cluster: Cluster, image: str, digest: str) -> None:
    """Let the first pod's inputs be there, and its script run."""
    word = json.dumps({"reason": "Fetched", "exitCode": 0, "sha256": digest})
    done = {"exitCode": 0, "message": word}
    (pod, *_) = cluster.pods()
    pod["status"] = {
        "phase": "Running",
        "initContainerStatuses": [
            state("input-rows", terminated=done),
            state("input-more", terminated=done),  # of a podTemplate: nobody else reads this claim
        ],
        "containerStatuses": [{**state("trainer", running={}), "imageID": image}],
    }
    cluster.settle()


def test_the_digests_of_image_and_inputs_are_kept_and_are_in_the_record_of_each_packaging() -> None:
    cluster = created(inputs=[INPUT, CLAIM], package=PACKAGE)
    ran(cluster, f"registry.example/team/train@sha256:{IMAGE}", ROWS)
    assert cluster.status["imageDigest"] == f"sha256:{IMAGE}"
    assert cluster.status["inputs"] == [{"name": "rows", "sha256": ROWS}]
    cluster.finish_all(message=trained())
    cluster.settle()
    made = cluster.job("package")
    assert made is not None
    (packager,) = made["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one.get("value") for one in packager["env"]}
    record = json.loads(env["SLIPWAY_LINEAGE"])
    assert record["imageDigest"] == f"sha256:{IMAGE}"
    assert record["inputs"] == [{**INPUT, "sha256": ROWS}, CLAIM]


@pytest.mark.parametrize("sign", [None, {"keySecretRef": {"name": "signer", "key": "private"}}])
def test_an_input_is_read_again_for_its_digest_only_where_the_package_is_signed(
    sign: dict[str, Any] | None,
) -> None:
    cluster = created(inputs=[INPUT], package={**PACKAGE, **({"sign": sign} if sign else {})})
    (pod, *_) = cluster.pods()
    bring = next(one for one in pod["spec"]["initContainers"] if one["name"] == "input-rows")
    env = {one["name"]: one.get("value") for one in bring["env"]}
    assert ("isDigestTold" in env["SLIPWAY_INPUT"]) == bool(sign)


@pytest.mark.parametrize(
    "image",
    [
        *("", "sha256:", f"sha256:{IMAGE}x", "docker.io/x:1", f"x/sha256:{IMAGE}"),
        *(f"sha256:{IMAGE}", f"@sha256:{IMAGE}", f"docker://sha256:{IMAGE}"),
    ],
)
def test_what_is_no_digest_of_a_registry_is_not_taken_for_one(image: str) -> None:
    cluster = created(inputs=[INPUT])
    ran(cluster, image, "main; rm -rf")
    assert "imageDigest" not in cluster.status
    assert "inputs" not in cluster.status


def test_a_key_for_ssh_reaches_the_fetching_container_alone() -> None:
    url = "git@git.example:team/net.git"
    source = {"git": {"url": url, "credentialsSecretName": "deploy-key", "submodules": True}}
    (pod,) = created(source=source).pods()
    fetching = next(one for one in pod["spec"]["initContainers"] if one["name"] == "source")
    secret = {"secretName": "deploy-key", "optional": True}
    (volume,) = (each for each in pod["spec"]["volumes"] if each.get("secret") == secret)
    holders = {
        container["name"]
        for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"])
        if volume["name"] in {mount["name"] for mount in container["volumeMounts"]}
    }
    assert holders == {"source"}
    env = {one["name"]: one["value"] for one in fetching["env"]}
    assert env["SLIPWAY_CREDENTIALS_DIR"] == "/slipway/credentials"
    told = json.loads(env["SLIPWAY_SOURCE"])["git"]
    assert told == {"url": url, "ref": None, "submodules": True}
    assert "envFrom" not in fetching
    assert "deploy-key" not in json.dumps(pod["spec"]["containers"])


def test_a_revision_that_is_no_hash_is_not_believed() -> None:
    cluster = created(source=GIT)
    brought(cluster, "main; rm -rf")
    assert "sourceRevision" not in cluster.status


def test_an_input_with_a_dollar_in_its_uri_is_passed_on_as_it_is() -> None:
    cluster = created(inputs=[{**INPUT, "uri": "https://data.example/$(HOME)"}])
    (pod,) = cluster.pods()
    (_, container) = pod["spec"]["initContainers"]
    told = {one["name"]: one.get("value") for one in container["env"]}
    assert "https://data.example/$$(HOME)" in told["SLIPWAY_INPUT"]
