"""The data that a training starts from, brought to each pod before its script starts."""

from typing import Annotated

from pydantic import Field

from slipway.api.base import (
    ApiModel,
    DnsName,
    ModelVersion,
    OwnName,
    Sha256,
    map_list,
    rules,
    text,
    uri_text,
)

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


class InputTrainingJob(ApiModel):
    """The archive of another TrainingJob in the job's namespace."""

    name: OwnName
    """Name of the TrainingJob."""
    model_version: ModelVersion | None = Field(
        default=None,
        description="Which of its archives; without it the one that is its newest at the start.",
    )


class Input(
    ApiModel,
    json_schema_extra=rules(
        (
            "has(self.uri) != has(self.trainingJob)",
            "write exactly one of uri (a file or folder) and trainingJob (its archive's files)",
        ),
        (
            "!has(self.trainingJob) || (!has(self.sha256) && !has(self.credentialsSecretName))",
            "remove sha256 and credentialsSecretName beside trainingJob: status.inputs keeps the "
            "digest, and the store's own credentials open its archive",
        ),
        (
            "!has(self.uri) || !self.uri.startsWith('pvc:') || !has(self.credentialsSecretName)",
            "remove credentialsSecretName: a claim needs none",
        ),
        (
            "!has(self.uri) || !self.uri.startsWith('pvc:') || !self.uri.contains('/..')",
            "write a path in the claim without '..' parts",
        ),
    ),
):
    """A file, a folder or an archive's files that the script finds, read-only, in its own folder.

    That is /slipway/inputs/NAME.
    """

    name: InputName
    """Name of the input, and of its folder."""
    uri: InputUri | None = Field(
        default=None,
        description="Where it comes from; pvc://CLAIM/PATH is mounted, all else is fetched once "
        "for each pod. A URI that ends with a slash is a folder.",
    )
    training_job: InputTrainingJob | None = Field(
        default=None,
        description="The TrainingJob whose archive is unpacked there, in place of a URI; the job "
        "waits until there is one, and a restart gets the same.",
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
