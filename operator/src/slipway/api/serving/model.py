"""Which archive a ModelDeployment serves."""

from typing import Annotated

from pydantic import Field

from slipway.api.base import ApiModel, DnsName, ModelName, OwnName, Sha256, rules, uri_text
from slipway.api.fields.selector import LabelSelector
from slipway.api.serving.model_status import MAX_ARCHIVE_URI
from slipway.api.trust.encryption import Encryption
from slipway.api.trust.signature import Verification

WRITE_ADDRESS = (
    "write the address of a .mar archive that starts with s3://, http:// or https://; behind .mar "
    "there may be a query, as in a presigned https:// address; or with server.runtime: Container "
    "that of any file or folder"
)
"""What to write as an archive's address."""

ModelUri = Annotated[
    str,
    uri_text(
        "^(s3://[^ ?#]+|https?://[^ ?#]+([?][^ #]*)?)$",
        WRITE_ADDRESS,
        "name the Secret that opens it in model.credentialsSecretName",
        longest=MAX_ARCHIVE_URI,
    ),
]


class TrainingJobReference(ApiModel):
    """A TrainingJob in the deployment's namespace whose package is served."""

    name: OwnName
    """Name of the TrainingJob."""


class Model(
    ApiModel,
    json_schema_extra=rules(
        (
            "[has(self.trainingJob), has(self.trainingJobSelector), has(self.uri)]"
            ".filter(x, x).size() == 1",
            "write exactly one of model.trainingJob (its package is served), "
            "model.trainingJobSelector (the newest package is served) and model.uri",
        ),
        (
            "has(self.uri) == has(self.sha256)",
            "write model.sha256, the archive's digest, beside model.uri, and only there",
        ),
        (
            "!has(self.credentialsSecretName) || has(self.uri)",
            "write model.credentialsSecretName only beside model.uri",
        ),
        (
            "!has(self.encryption) || has(self.uri)",
            "write model.encryption only beside model.uri: a TrainingJob's status says how its "
            "archive was encrypted",
        ),
        (
            "!has(self.verification) || !has(self.uri) || !self.uri.contains('?')",
            "write a model.uri without a query beside model.verification: the signature lies at "
            "that address with .sig behind it",
        ),
    ),
):
    """Which archive is served: a TrainingJob's, or one at a URI with its digest."""

    name: ModelName | None = Field(
        default=None,
        description="Name in URLs; by default the package's, or for a URI the deployment's.",
    )
    training_job: TrainingJobReference | None = None
    """The TrainingJob whose package is served."""
    training_job_selector: LabelSelector | None = Field(
        default=None,
        description="Labels of TrainingJobs; the newest package that one of them made is served.",
    )
    uri: ModelUri | None = Field(
        default=None,
        description="Where the .mar lies: s3://, http:// or https://; with server.runtime: "
        "Container any file, or under s3:// a folder. Every new pod fetches it, so a presigned "
        "address must not expire while the model is served.",
    )
    sha256: Sha256 | None = Field(
        default=None,
        description="The archive's or file's digest; a folder's is that of what sha256sum prints "
        "for its files, sorted by path.",
    )
    credentials_secret_name: DnsName | None = Field(
        default=None,
        description="Secret with AWS_* variables for the URI; the store's own by default.",
    )
    allow_pickle: bool = Field(
        default=False,
        description="Whether the servers may load a file of the archive that runs whatever code it "
        "holds: an estimator of the handler sklearn, a program of torch.export (.pt2, compiled or "
        "not), or a model that the archive's own settings call pickled. A server of your own "
        "(server.container) decides by itself.",
    )
    encryption: Encryption | None = None
    """How the archive at the URI was encrypted; it is not where absent."""
    verification: Verification | None = None
    """By which keys the archive must be signed; its signature is not verified where absent."""
