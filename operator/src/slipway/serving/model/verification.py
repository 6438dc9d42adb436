"""Whether a model may be served where an administrator wants all to be signed.

The keys are the administrator's where the release has some: what a deployment's author names then
does not count. Otherwise they are the author's, who answers for them.
"""

from dataclasses import dataclass

from slipway.api import ModelDeployment
from slipway.api.serving.model_status import ModelStatus
from slipway.serving import reasons
from slipway.settings import Settings


@dataclass(frozen=True)
class Unverified:
    """Why a model is not served: a reason of `slipway.serving.reasons`, and a sentence."""

    reason: str
    message: str


def unverified(
    deployment: ModelDeployment, model: ModelStatus, settings: Settings
) -> Unverified | None:
    """Return why a model is not served before any pod looks at it; None where one has to."""
    if settings.verification != "Required":
        return None
    verification = deployment.spec.model.verification
    if verification is None and not settings.public_keys:
        return Unverified(
            reasons.VERIFICATION_REQUIRED,
            "This namespace serves only signed models: name the keys of their signers in "
            "spec.model.verification.",
        )
    if verification is not None and verification.policy != "Required":
        return Unverified(
            reasons.VERIFICATION_REQUIRED,
            "This namespace serves only signed models: write "
            "spec.model.verification.policy: Required.",
        )
    if "?" in model.uri:
        return Unverified(
            reasons.VERIFICATION_REQUIRED,
            "This namespace serves only signed models: write a spec.model.uri without a query, as "
            "the signature lies at that address with .sig behind it.",
        )
    if model.training_job is not None and not model.signature_uri:
        return Unverified(
            reasons.SIGNATURE_MISSING,
            f"This namespace serves only signed models, and TrainingJob {model.training_job} did "
            "not sign its package: name a key in its spec.package.sign.",
        )
    return None
