"""Where an administrator wants all models to be signed."""

from typing import Any

import pytest

from slipway.serving import reasons
from tests.unit.runtime.trust import signers
from tests.unit.serving.world import JOB_MODEL, SETTINGS, URI_MODEL, World, training_job

KEYS = {"publicKeyConfigMapRef": {"name": "signers", "key": "public.pem"}}
PEM = signers.public_pem(signers.private()).decode()
SIGNED = "s3://slipway/models/demo/train/job-1/iris-1.0.mar.sig"


def world(model: dict[str, Any], label: str | None = "Required", **settings: Any) -> World:
    made, job = World(model), training_job("Succeeded")
    job["status"]["package"]["signatureUri"] = SIGNED
    made.job, made.verification = job, label
    made.settings = SETTINGS.model_copy(update=settings)
    made.reconcile()
    return made


def workload(made: World) -> dict[str, Any]:
    (found,) = [one for ref, one in made.children.items() if ref.kind == "Deployment"]
    return found


def arguments(made: World) -> list[str]:
    words: list[str] = workload(made)["spec"]["template"]["spec"]["initContainers"][0]["args"]
    return words


def refused(made: World) -> str:
    assert not any(ref.kind == "Deployment" for ref in made.children)
    found = made.condition(reasons.MODEL_READY)
    assert found.status == "False"
    assert "only signed models" in found.message
    return found.reason


@pytest.mark.parametrize("model", [URI_MODEL, JOB_MODEL])
@pytest.mark.parametrize(
    ("label", "settings"), [("Required", {}), (None, {"verification": "Required"})]
)
def test_a_model_whose_signers_nobody_names_gets_no_pod(
    model: dict[str, Any], label: str | None, settings: dict[str, Any]
) -> None:
    assert refused(world(model, label, **settings)) == reasons.VERIFICATION_REQUIRED


def test_a_policy_that_lets_unsigned_models_pass_gets_no_pod() -> None:
    wanted = {**KEYS, "policy": "IfPresent"}
    assert refused(world({**URI_MODEL, "verification": wanted})) == reasons.VERIFICATION_REQUIRED


def test_a_package_that_its_job_did_not_sign_gets_no_pod() -> None:
    made = World({**JOB_MODEL, "verification": KEYS})
    made.job, made.verification = training_job("Succeeded"), "Required"
    made.reconcile()
    assert refused(made) == reasons.SIGNATURE_MISSING


def test_a_signed_package_is_verified_in_its_pods() -> None:
    words = arguments(world({**JOB_MODEL, "verification": KEYS}))
    assert words[words.index("--policy") + 1] == "Required"
    assert "--public-keys" in words


def test_the_kubelet_expands_nothing_in_the_address_that_was_checked() -> None:
    uri = "https://models.example/$(HOME)/a$$b.mar"
    words = arguments(world({**URI_MODEL, "uri": uri}, None))
    assert words[words.index("--uri") + 1] == "https://models.example/$$(HOME)/a$$$$b.mar"


def test_the_keys_are_in_the_container_alone_that_brings_the_model() -> None:
    encrypted = {"keySecretRef": {"name": "archives", "key": "keyset.json"}}
    made = world({**URI_MODEL, "verification": KEYS, "encryption": encrypted})
    pod = workload(made)["spec"]["template"]["spec"]
    keys = {each["name"] for each in pod["volumes"] if each["name"].startswith("slipway-key-")}
    assert keys == {"slipway-key-encryption", "slipway-key-verification"}
    holders = [
        container["name"]
        for container in (*pod["initContainers"], *pod["containers"])
        if keys & {mount["name"] for mount in container["volumeMounts"]}
    ]
    assert holders == ["fetch"]


@pytest.mark.parametrize("model", [URI_MODEL, {**URI_MODEL, "verification": KEYS}])
def test_the_administrators_keys_are_those_that_count(model: dict[str, Any]) -> None:
    words = arguments(world(model, public_keys=PEM))
    assert f"--public-keys-pem={PEM}" in words
    assert "--public-keys" not in words


@pytest.mark.parametrize("label", [None, "Optional"])
def test_no_label_and_optional_ask_for_nothing(label: str | None) -> None:
    assert "--policy" not in arguments(world(URI_MODEL, label))


@pytest.mark.parametrize("label", ["required", "true", ""])
def test_a_mistyped_label_refuses_rather_than_to_let_all_pass(label: str) -> None:
    assert refused(world(URI_MODEL, label)) == reasons.VERIFICATION_REQUIRED


def test_a_presigned_address_gets_no_pod_as_no_signature_can_lie_beside_it() -> None:
    presigned = {**URI_MODEL, "uri": "https://models.example/iris.mar?X-Amz-Signature=ab"}
    made = world(presigned, public_keys=PEM)
    assert refused(made) == reasons.VERIFICATION_REQUIRED
    assert "without a query" in made.condition(reasons.MODEL_READY).message


def test_no_label_lets_pass_what_the_release_refuses() -> None:
    made = world(URI_MODEL, "Optional", verification="Required")
    assert refused(made) == reasons.VERIFICATION_REQUIRED


def test_what_serves_goes_on_serving_when_signatures_begin_to_be_required() -> None:
    made = World(URI_MODEL)
    made.reconcile()
    before = dict(made.children)
    made.verification = "Required"
    made.reconcile()
    assert made.children == before
    assert made.condition(reasons.MODEL_READY).reason == reasons.VERIFICATION_REQUIRED
