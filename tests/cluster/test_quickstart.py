"""The whole way of the quickstart: from ``kubectl apply`` to a prediction."""

import json
import math
from typing import Any

import pytest

from tests.cluster.conftest import Quickstart
from tests.cluster.support import condition, phase, predict
from tests.harness.cluster import Cluster

pytestmark = pytest.mark.cluster

TRAINING_KINDS = ("trainingjobs", "jobs", "secrets")
SERVING_KINDS = (
    *("modeldeployments", "deployments", "horizontalpodautoscalers"),
    *("poddisruptionbudgets", "configmaps"),
)
BOTH = ("services", "networkpolicies")
"""Kinds that both have one of: a training's is named NAME-train."""
TRAIN, SERVE = ([(resource, role) for resource in BOTH] for role in ("train", "serve"))


def _stored(cluster: Cluster, uri: str) -> bytes:
    with cluster.store() as store:
        content: bytes = store.cat_file(uri)
    return content


def test_the_job_trains_on_two_pods_and_succeeds(quickstart: Quickstart) -> None:
    job = quickstart.job
    assert phase(job) == "Succeeded", quickstart.space.report()
    assert job["spec"]["nodes"] == 2
    assert job["status"]["nodes"]["succeeded"] == 2
    assert condition(job, "Packaged")["status"] == "True"


def test_the_last_progress_tells_the_loss_and_the_held_out_r2(quickstart: Quickstart) -> None:
    progress = quickstart.job["status"]["progress"]
    assert progress["step"] == progress["epoch"] > 0
    assert 0 < float(progress["metrics"]["loss"]) < 1
    assert 0.3 < float(progress["metrics"]["r2"]) < 1


def test_the_archive_in_the_store_is_the_one_that_the_status_names(
    cluster: Cluster, quickstart: Quickstart
) -> None:
    import hashlib

    package = quickstart.job["status"]["package"]
    content = _stored(cluster, package["uri"])
    assert hashlib.sha256(content).hexdigest() == package["sha256"]
    assert len(content) == package["sizeBytes"]


def test_the_lineage_tells_where_the_archive_comes_from(
    cluster: Cluster, quickstart: Quickstart
) -> None:
    package = quickstart.job["status"]["package"]
    lineage = json.dumps(json.loads(_stored(cluster, package["lineageUri"])))
    for part in (quickstart.job["metadata"]["uid"], package["sha256"], "train.py"):
        assert part in lineage


def test_the_served_answer_is_the_trained_models_own(
    cluster: Cluster, quickstart: Quickstart
) -> None:
    output = quickstart.job["status"]["output"]["uri"]
    sample: dict[str, Any] = json.loads(_stored(cluster, f"{output.rstrip('/')}/sample.json"))
    name = quickstart.deployment["metadata"]["name"]
    answers = predict(quickstart.space, name, sample["request"])
    assert len(answers) == len(sample["response"])
    for answer, expected in zip(answers, sample["response"], strict=True):
        assert math.isclose(answer, expected, rel_tol=1e-5), (answers, sample["response"])


def test_the_training_cost_at_most_ten_writes(cluster: Cluster, quickstart: Quickstart) -> None:
    writes = _writes(cluster, quickstart)
    job = {
        key: count
        for key, count in writes.items()
        if key[0].split("/")[0] in TRAINING_KINDS or key in TRAIN
    }
    assert 0 < sum(job.values()) <= 10 + _progress_writes(quickstart), writes


def test_the_first_rollout_cost_at_most_fifteen_writes(
    cluster: Cluster, quickstart: Quickstart
) -> None:
    writes = _writes(cluster, quickstart)
    rollout = {
        key: count
        for key, count in writes.items()
        if key[0].split("/")[0] in SERVING_KINDS or key in SERVE
    }
    assert 0 < sum(rollout.values()) <= 15, writes


def _writes(cluster: Cluster, quickstart: Quickstart) -> dict[tuple[str, str], int]:
    """Count the operator's writes in the quickstart's namespace by resource; `BOTH` by role."""
    found: dict[tuple[str, str], int] = {}
    for request in quickstart.audit.requests(cluster.operator_user):
        ignored = request.resource in ("events", "leases")
        if not request.is_write or ignored or request.namespace != quickstart.space.name:
            continue
        role = request.verb
        if request.resource in BOTH:
            role = "train" if request.name.endswith("-train") else "serve"
        key = (request.resource, role)
        found[key] = found.get(key, 0) + 1
    return found


def _progress_writes(quickstart: Quickstart) -> int:
    """Return how many status writes progress alone may have cost: one in ten seconds."""
    from slipway.api import parse_time

    status = quickstart.job["status"]
    begin, end = parse_time(status["startTime"]), parse_time(status["completionTime"])
    assert begin
    assert end
    return int((end - begin).total_seconds() // 10)
