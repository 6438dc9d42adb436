"""Accounts of the built-in store: a real operator, API server and versitygw."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dev import gotools
from slipway_pods.store import store as pods
from tests.chart.rendering import render
from tests.contract.operator import play
from tests.contract.operator.process import NAMESPACE, OperatorProcess
from tests.contract.operator.test_life import refused
from tests.harness import Kubectl, TestControlPlane
from tests.harness.certificates import Authority
from tests.harness.s3 import S3Server
from tests.harness.waiting import wait_for
from tests.unit.accounts.conftest import S3, refusal

pytestmark = [
    pytest.mark.contract,
    pytest.mark.own_control_plane("the release's namespace gets Secrets"),
]
Start = Callable[..., OperatorProcess]
STORE_TLS = "slipway-store-tls"


@pytest.fixture
def start(start_operator: Start, store: S3Server) -> Callable[[], OperatorProcess]:
    """Start an operator that makes accounts there."""

    def start() -> OperatorProcess:
        operator = start_operator(
            SLIPWAY_LEADER_ELECTION="false",
            SLIPWAY_STORE_CREDENTIALS="accounts",
            SLIPWAY_STORE_ENDPOINT=store.env["AWS_ENDPOINT_URL"],
        )
        operator.wait_until_ready()
        return operator

    return start


@pytest.fixture
def operator(start: Callable[[], OperatorProcess]) -> OperatorProcess:
    """A running one."""
    return start()


def held(kubectl: Kubectl) -> dict[str, str]:
    """Return what the namespace's Secret holds."""
    return contents(kubectl, "slipway-store")


def contents(kubectl: Kubectl, name: str) -> dict[str, str]:
    """Return what a Secret holds; nothing where there is none."""
    data = (kubectl.get("secret", name) or {}).get("data", {})
    return {name: base64.b64decode(value).decode() for name, value in data.items()}


def output_uri(job: Any) -> str:
    """Return where a Job's agent is told to put the output."""
    agent = job["spec"]["template"]["spec"]["initContainers"][0]
    told = {one["name"]: one.get("value", "") for one in agent["env"]}
    uri: str = told["SLIPWAY_OUTPUT_URI"]
    return uri


@pytest.mark.usefixtures("operator")
def test_a_namespace_gets_an_account_for_as_long_as_it_has_objects(
    kubectl: Kubectl, store: S3Server, control_plane: TestControlPlane
) -> None:
    audit = control_plane.audit()
    kubectl.create([play.source(), play.training_job()])
    bucket, _, key = output_uri(play.wait_object(kubectl, "job", "job-train"))[5:].partition("/")
    client = S3(store, held(kubectl))
    assert bucket.startswith("ns-")
    assert client.put(bucket, f"{key}/model.pt") == ""
    assert client.put("slipway", f"{key}/model.pt") == "AccessDenied"
    kubectl.delete("trainingjob", "job")
    wait_for(lambda: not held(kubectl), 120, "the Secret is gone")
    wait_for(
        lambda: client.get(bucket, f"{key}/model.pt") == "InvalidAccessKeyId",
        120,
        "the account is gone",
    )
    assert refused(audit) == []


@pytest.mark.usefixtures("operator")
def test_a_job_says_that_the_store_is_away_and_goes_on_when_it_is_back(
    kubectl: Kubectl, store: S3Server
) -> None:
    store.stop()
    kubectl.create([play.source(), play.training_job()])
    wait_for(lambda: waits_for_the_store(kubectl, "job"), 120, "the job says so")
    assert not kubectl.get("job", "job-train")
    store.start()
    play.wait_object(kubectl, "job", "job-train")
    assert refusal(lambda: S3(store, held(kubectl)).raw.list_buckets()) == ""


def test_an_operator_that_starts_while_the_store_is_away_tells_what_runs_as_it_is(
    kubectl: Kubectl, store: S3Server, start: Callable[[], OperatorProcess]
) -> None:
    operator = start()
    kubectl.create([play.source(), play.training_job(), play.model_deployment()])
    play.wait_object(kubectl, "job", "job-train")
    play.roll_out(kubectl)
    wait_for(lambda: play.is_true(kubectl, "Ready"), 120, "it is ready", operator.log.read_text)
    before = output_uri(kubectl.get("job", "job-train")), held(kubectl)
    operator.end()
    store.stop()
    started = start()
    kubectl.patch("modeldeployment", "model", {"spec": {"autoscaling": {"maxReplicas": 5}}})
    wait_for(
        lambda: observed(kubectl, "model") == 2, 120, "the change is seen", started.log.read_text
    )
    kubectl.create(play.training_job("second"))
    wait_for(lambda: waits_for_the_store(kubectl, "second"), 120, "the new job says that it waits")
    assert not kubectl.get("job", "second-train")
    assert play.is_true(kubectl, "Ready")
    for kind, name in (("modeldeployment", "model"), ("trainingjob", "job")):
        conditions = (kubectl.get(kind, name) or {})["status"]["conditions"]
        assert [c for c in conditions if c["type"] == "Stalled"] == []
    assert (output_uri(kubectl.get("job", "job-train")), held(kubectl)) == before
    store.start()
    play.wait_object(kubectl, "job", "second-train")


def waits_for_the_store(kubectl: Kubectl, name: str) -> bool:
    """Tell whether a condition of a TrainingJob says that the store is away."""
    status = (kubectl.get("trainingjob", name) or {}).get("status", {})
    return "StoreUnavailable" in {one["reason"] for one in status.get("conditions", ())}


def observed(kubectl: Kubectl, name: str) -> int:
    """Return the generation that a ModelDeployment's status is of."""
    status = (kubectl.get("modeldeployment", name) or {}).get("status", {})
    return int(status.get("observedGeneration", 0))


def test_pods_are_told_whom_to_trust_and_store_over_tls(
    kubectl: Kubectl, tmp_path: Path, start_operator: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path / "authority")
    authority.issue(tmp_path / "tls", "IP:127.0.0.1")
    gotools.ensure(["slipway-store"])
    server = S3Server(tmp_path / "s3", certificate=tmp_path / "tls", plain=False)
    server.start()
    start_operator(
        SLIPWAY_LEADER_ELECTION="false",
        SLIPWAY_STORE_CREDENTIALS="accounts",
        SLIPWAY_STORE_ENDPOINT=f"https://127.0.0.1:{server.secure_port}",
        SLIPWAY_STORE_PLAIN_ENDPOINT=server.env["AWS_ENDPOINT_URL"],
        SLIPWAY_STORE_CA_FILE=str(authority.certificate),
    ).wait_until_ready()
    kubectl.create([play.source(), play.training_job()])
    uri = output_uri(play.wait_object(kubectl, "job", "job-train"))
    store_as_a_pod(kubectl, tmp_path / "secret", f"{uri}/model.pt", monkeypatch)
    assert held(kubectl)["AWS_ENDPOINT_URL"] == server.env["AWS_ENDPOINT_URL"]
    server.stop()


def store_as_a_pod(
    kubectl: Kubectl, folder: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Store and read with the namespace's Secret, as an agent that has it mounted."""
    folder.mkdir()
    for name, text in held(kubectl).items():
        (folder / name).write_text(text)
    monkeypatch.setenv("SLIPWAY_CREDENTIALS_DIR", str(folder))
    pods.put_bytes(b"weights", uri)
    assert pods.get_bytes(uri, 100) == b"weights"
    assert "PRIVATE KEY" not in "".join(held(kubectl).values())


def test_the_operator_makes_the_stores_certificate_and_pods_store_over_tls_by_it(
    control_plane: TestControlPlane,
    kubectl: Kubectl,
    tmp_path: Path,
    start_operator: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    system = Kubectl(control_plane.kubeconfig, NAMESPACE)
    made = next(one for one in render().of("Secret") if one["metadata"]["name"] == STORE_TLS)
    system.create(made)
    folder = tmp_path / "tls"
    server = S3Server(tmp_path / "s3", certificate=folder, plain=False)
    start_operator(
        SLIPWAY_LEADER_ELECTION="false",
        SLIPWAY_STORE_CREDENTIALS="accounts",
        SLIPWAY_STORE_ENDPOINT=f"https://localhost:{server.secure_port}",
        SLIPWAY_STORE_CA_FILE=str(tmp_path / "ca.crt"),
        SLIPWAY_STORE_TLS_SECRET=STORE_TLS,
    ).wait_until_ready()
    wait_for(lambda: "tls.key" in contents(system, STORE_TLS), 120, "there is a certificate")
    filled = contents(system, STORE_TLS)
    folder.mkdir()
    for name in ("tls.crt", "tls.key"):  # as the kubelet brings them
        (folder / name).write_text(filled[name])
    server.start()
    kubectl.create([play.source(), play.training_job()])
    uri = output_uri(play.wait_object(kubectl, "job", "job-train"))
    store_as_a_pod(kubectl, tmp_path / "secret", f"{uri}/model.pt", monkeypatch)
    assert held(kubectl)["ca.crt"] == filled["ca.crt"]
    server.stop()
    system.run("delete", "secret", STORE_TLS)
