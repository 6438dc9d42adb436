"""Signatures of archives: by which key they are made, and by which they are verified."""

from typing import Literal

from pydantic import Field

from slipway.api.base import ApiModel, rules
from slipway.api.trust.keys import ConfigMapKeyReference, SecretKeyReference


class Sign(ApiModel):
    """How an archive is signed before it is stored."""

    key_secret_ref: SecretKeyReference = Field(
        description="A private key in PEM without a password, of the curve P-256, P-384 or P-521."
    )


class Verification(
    ApiModel,
    json_schema_extra=rules(
        (
            "has(self.publicKeySecretRef) != has(self.publicKeyConfigMapRef)",
            "write exactly one of verification.publicKeySecretRef and "
            "verification.publicKeyConfigMapRef",
        )
    ),
):
    """By which keys a model must be signed that is served."""

    public_key_secret_ref: SecretKeyReference | None = None
    """Public keys in PEM, one of which must have signed the archive."""
    public_key_config_map_ref: ConfigMapKeyReference | None = None
    """The same in a ConfigMap."""
    policy: Literal["Required", "IfPresent"] = Field(
        default="Required",
        description="Whether an archive without a signature is refused (Required) or served "
        "(IfPresent); a signature that does not hold is refused either way.",
    )
