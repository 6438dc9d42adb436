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


def arguments(made: World) -> list[str]:
    (workload,) = [one for ref, one in made.children.items() if ref.kind == "Deployment"]
    words: list[str] = workload["spec"]["template"]["spec"]["initContainers"][0]["args"]
    return words


def refused(made: World) -> str:
    assert not any(ref.kind == "Deployment" for ref in made.children)
    found = made.condition(reasons.MODEL_READY)
    assert found.status == "False"
    assert "signed models alone" in found.message
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


@pytest.mark.parametrize("model", [URI_MODEL, {**URI_MODEL, "verification": KEYS}])
def test_the_administrators_keys_are_those_that_count(model: dict[str, Any]) -> None:
    words = arguments(world(model, public_keys=PEM))
    assert f"--public-keys-pem={PEM}" in words
    assert "--public-keys" not in words


@pytest.mark.parametrize("label", [None, "Optional", "required", ""])
def test_another_label_asks_for_nothing(label: str | None) -> None:
    assert "--policy" not in arguments(world(URI_MODEL, label))


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
