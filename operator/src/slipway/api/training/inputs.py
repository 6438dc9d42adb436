"""The data that a training starts from, brought to each pod before its script starts."""

from typing import Annotated

from pydantic import Field

from slipway.api.base import ApiModel, DnsName, Sha256, map_list, rules, text, uri_text

InputName = Annotated[
    str,
    text(
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "write a name of at most 40 lower-case letters, digits and '-': the input's folder has it",
        longest=40,
    ),
]

InputUri = Annotated[
    str,
    uri_text(
        "^((s3|gs|az|hf|https?)://[^ ]+|pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(/[^ ]*)?)$",
        "write a URI that begins with s3://, gs://, az://, hf://, http://, https:// or "
        "pvc://CLAIM/",
        "name the Secret that opens it in credentialsSecretName",
        longest=1024,
    ),
]


class Input(
    ApiModel,
    json_schema_extra=rules(
        (
            "!self.uri.startsWith('pvc:') || !has(self.credentialsSecretName)",
            "remove credentialsSecretName: a claim needs none",
        ),
        (
            "!self.uri.startsWith('pvc:') || !self.uri.contains('/..')",
            "write a path in the claim without '..' parts",
        ),
    ),
):
    """A file or a folder that the script finds, read-only, in /slipway/inputs/NAME."""

    name: InputName
    """Name of the input, and of its folder."""
    uri: InputUri = Field(
        description="Where it comes from; pvc://CLAIM/PATH is mounted, all else is fetched once "
        "for each pod. A URI that ends with a slash is a folder.",
    )
    sha256: Sha256 | None = Field(
        default=None,
        description="Digest of the file, or of what sha256sum prints for a folder's files in the "
        "order of their paths; the script does not start with another.",
    )
    credentials_secret_name: DnsName | None = Field(
        default=None,
        description="Secret with the variables that open the URI; the store's own for s3 without.",
    )


class TrainingInputs(ApiModel):
    """What the script reads."""

    inputs: Annotated[list[Input], Field(max_length=16, json_schema_extra=map_list("name"))] = (
        Field(default_factory=list, description="Data that each pod has before its script starts.")
    )
