"""Retention in the built-in store: a real operator, API server and versitygw."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.operator import play
from tests.contract.operator.test_accounts import output_uri
from tests.contract.operator.test_life import refused
from tests.harness import Kubectl, Object, TestControlPlane
from tests.harness.s3 import S3Server
from tests.harness.waiting import wait_for
from tests.unit.accounts.conftest import S3

pytestmark = [pytest.mark.contract, pytest.mark.long]
NOW = {"outputSecondsAfterFinished": 0, "checkpointsSecondsAfterFinished": 0}


def removed(kubectl: Kubectl, name: str) -> Object:
    """Return a job's condition of what is removed; empty where there is none."""
    conditions = (kubectl.get("tj", name) or {}).get("status", {}).get("conditions", [])
    found = (one for one in conditions if one["type"] == "ArtifactsRemoved")
    return next(found, {})


def test_what_an_ended_job_stored_goes_but_not_what_another_job_reads(
    start_operator: Callable[..., Any],
    kubectl: Kubectl,
    store: S3Server,
    control_plane: TestControlPlane,
) -> None:
    audit = control_plane.audit()
    operator = start_operator(
        SLIPWAY_LEADER_ELECTION="false",
        SLIPWAY_STORE_CREDENTIALS="accounts",
        SLIPWAY_STORE_ENDPOINT=store.env["AWS_ENDPOINT_URL"],
    )
    operator.wait_until_ready()
    job = play.training_job(package=None, checkpoint={}, retention=NOW, nodes=1)
    kubectl.create([play.source(), job])
    output = output_uri(play.wait_object(kubectl, "job", "job-train")).removeprefix("s3://")
    bucket, _, key = output.partition("/")
    checkpoint = key.replace("outputs", "checkpoints", 1)
    root = S3(store, store.env)
    gone = [f"{checkpoint}/step-1/_manifest.json", f"{checkpoint}/step-1/node-0/a"]
    kept = [f"{key}/_manifest.json", f"{key}/model.pt", f"{key[:-1]}/model.pt"]
    for one in (*gone, *kept):
        assert root.put(bucket, one) == ""
    data = [{"name": "data", "uri": f"s3://{output}/"}]
    kubectl.create(play.training_job("reader", package=None, inputs=data, suspend=True))
    play.train(kubectl)
    play.wait_phase(kubectl, "job", "Succeeded")
    wait_for(
        lambda: root.keys(bucket) == sorted(kept),
        180,
        "the checkpoints are gone",
        operator.log.read_text,
    )
    wait_for(
        lambda: "TrainingJob reader names it" in removed(kubectl, "job").get("message", ""),
        120,
        "the status tells who names the output",
        operator.log.read_text,
    )
    status = (kubectl.get("tj", "job") or {})["status"]
    assert (status["retention"]["output"], status["phase"]) == (False, "Succeeded")
    assert refused(audit) == []
