"""The encryption of an archive: which key, and what the archive is bound to."""

from typing import Annotated

from pydantic import Field

from slipway.api.base import ApiModel, text
from slipway.api.trust.keys import SecretKeyReference

AssociatedData = Annotated[
    str,
    text(
        "^[^$]*$",
        "write the associated data as status.package.encryption says it, which has no $",
        longest=1024,
        shortest=0,
    ),
]


class Encrypt(ApiModel):
    """How an archive is encrypted before it is stored."""

    key_secret_ref: SecretKeyReference = Field(
        description="A Tink keyset in JSON of the type AES256_GCM_HKDF_1MB; its primary key "
        "encrypts."
    )


class Encryption(ApiModel):
    """How an archive was encrypted."""

    key_secret_ref: SecretKeyReference = Field(
        description="The Tink keyset in JSON one of whose keys opens the archive."
    )
    associated_data: AssociatedData = Field(
        default="",
        description="What the archive is bound to, as status.package.encryption of its TrainingJob "
        "says; with other data it does not open.",
    )
