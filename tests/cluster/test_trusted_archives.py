"""Archives that a job signs and encrypts, in a namespace that serves only signed models."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from slipway_pods.trust import sealing, signing
from tests.cluster.support import (
    ANSWER_A_WORD,
    TRAIN,
    TRAIN_A_WORD,
    Space,
    address,
    model_deployment,
    source,
    training_job,
)
from tests.harness import Object
from tests.harness.cluster import Cluster
from tests.unit.runtime.trust import keysets, signers

pytestmark = pytest.mark.cluster

JOB, WORD = "sealed", "believed"
SIGNER = signers.private(1)
KEYSET, PRIVATE, PUBLIC = "keyset.json", "private.pem", "public.pem"
BY_SIGNER = {"publicKeyConfigMapRef": {"name": "signers", "key": PUBLIC}}
LABEL = "slipway.dev/verification=Required"


def secret(name: str, key: str, text: str) -> Object:
    meta = {"name": name}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {key: text}}


def public_keys(name: str) -> Object:
    data = {PUBLIC: signers.public_pem(SIGNER).decode()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def sealed_job() -> Object:
    """Return a job whose archive is signed and encrypted."""
    return training_job(
        JOB,
        "words",
        framework="plain",
        args=[WORD],
        package={
            "serializedFile": "model.pt",
            "handler": "handler.py",
            "sign": {"keySecretRef": {"name": "signer", "key": PRIVATE}},
            "encrypt": {"keySecretRef": {"name": "archive-keys", "key": KEYSET}},
        },
    )


@pytest.fixture(scope="module")
def space(shared: Space, model: Object) -> Space:
    """The job, and deployments that are begun together; each test looks at its own."""
    shared.kubectl.run("label", "namespace", shared.name, LABEL)
    of_job: Object = {"trainingJob": {"name": JOB}}
    shared.apply(
        secret("signer", PRIVATE, signers.private_pem(SIGNER).decode()),
        secret("archive-keys", KEYSET, keysets.KEYSET),
        secret("other-keys", KEYSET, keysets.keyset(keysets.key(bytes(32), 7))),
        public_keys("signers"),
        source("words", main=TRAIN_A_WORD, handler=ANSWER_A_WORD),
        sealed_job(),
        model_deployment("served", {**of_job, "verification": BY_SIGNER}),
        model_deployment("unnamed", of_job),
        model_deployment("unsigned", {**model, "verification": BY_SIGNER}),
    )
    return shared


@pytest.fixture(scope="module")
def package(space: Space) -> Object:
    """What the job's status says of its archive."""
    job = space.wait_for_phase(JOB, "Succeeded", "Failed")
    found: Object = job["status"]["package"]
    return found


def refused(space: Space, name: str, reason: str) -> str:
    """Return why a model is not served, once that is told; none of its servers has started."""
    told = space.wait_for_reason("modeldeployment", name, "ModelReady", reason, TRAIN)
    assert told["status"] == "False"
    for pod in space.pods(f"slipway.dev/model-deployment={name}"):
        for container in pod["status"].get("containerStatuses", ()):
            assert not container.get("started"), space.report()
            assert (container["restartCount"], container["state"].keys()) == (0, {"waiting"})
    return str(told["message"])


def test_an_archive_is_a_secret_in_the_store_and_opens_by_its_key_alone(
    cluster: Cluster, package: Object, tmp_path: Path
) -> None:
    with cluster.store() as store:
        stored = store.cat_file(package["uri"])
        signature = store.cat_file(package["signatureUri"])
    assert hashlib.sha256(stored).hexdigest() == package["sha256"]
    assert WORD.encode() not in stored
    assert b"class Handler" not in stored
    assert not zipfile.is_zipfile(io.BytesIO(stored))
    opened = tmp_path / "model.mar"
    opened.write_bytes(stored)
    with opened.open("r+b") as file:
        place = package["encryption"]["associatedData"]
        sealing.unseal(file, [keysets.KEY], place.encode())
    assert zipfile.ZipFile(opened).read("model.pt") == WORD.encode()
    signing.verify(opened, signature, (SIGNER.public_key(),))


def test_it_is_served_where_its_signer_is_named(space: Space, package: Object) -> None:
    deployment = space.wait_until_ready("served")
    assert deployment["status"]["model"]["encryption"] == package["encryption"]
    answer = httpx.post(f"{address(space, 'served')}/predict", json=[1], timeout=60)
    assert (answer.status_code, answer.text) == (200, WORD)


def test_a_deployment_that_names_no_signers_gets_no_pod(space: Space, package: Object) -> None:
    assert refused(space, "unnamed", "VerificationRequired") == (
        "This namespace serves only signed models: name the keys of their signers in "
        "spec.model.verification."
    )
    assert space.pods("slipway.dev/model-deployment=unnamed") == []


def test_an_archive_that_nobody_signed_is_refused_before_a_server_starts(
    space: Space, model: Object
) -> None:
    assert refused(space, "unsigned", "SignatureMissing") == (
        f"The signature of {model['uri']} is not accepted: there is none beside it, named .sig. "
        "It is not served."
    )


def test_another_key_opens_nothing_and_the_reason_is_told_before_a_server_starts(
    space: Space, package: Object
) -> None:
    encryption: dict[str, Any] = {
        "keySecretRef": {"name": "other-keys", "key": KEYSET},
        "associatedData": package["encryption"]["associatedData"],
    }
    named = {"uri": package["uri"], "sha256": package["sha256"], "encryption": encryption}
    space.apply(model_deployment("locked", {**named, "verification": BY_SIGNER}))
    assert refused(space, "locked", "WrongKey") == (
        f"{package['uri']} is not decrypted: none of the keys opens it: they are another "
        "archive's, or its associated data is, or its beginning was changed. It is not served."
    )
