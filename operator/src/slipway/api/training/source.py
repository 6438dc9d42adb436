"""Where a training script comes from."""

from typing import Annotated

from pydantic import Field

from slipway.api.base import ApiModel, DnsName, FolderPath, Sha256, rules, text, uri_text


class ConfigMapSource(ApiModel):
    """Source files that are the keys of a ConfigMap in the job's namespace."""

    name: DnsName
    """Name of the ConfigMap; each key is a file."""


class ImageSource(ApiModel):
    """Source files that lie in the image."""

    path: Annotated[
        str,
        text(
            "^/[A-Za-z0-9._/-]*$", "write an absolute path in the image, such as /app", longest=255
        ),
    ] = Field(description="Absolute path of the folder with the entrypoint.")


GitUrl = Annotated[
    str,
    text(
        "^((https?|git)://[^ @]+|ssh://([^ @:/]+@)?[^ @:/]+(:[0-9]+)?/[^ ]+|"
        "[^ @:/]+@[^ @:/]+:[^ :][^ ]*)$",
        "write a repository's URL that begins with https://, http://, git:// or ssh://, or "
        "user@host:path, its credentials in source.git.credentialsSecretName",
        longest=1024,
    ),
]

FetchedUri = Annotated[
    str,
    uri_text(
        "^(s3|gs|az|hf|https?)://[^ ]+$",
        "write a URI that begins with s3://, gs://, az://, hf://, http:// or https://",
        "name the Secret that opens it in source.archive.credentialsSecretName",
        longest=1024,
    ),
]

GitRef = Annotated[
    str,
    text(
        "^[A-Za-z0-9_][A-Za-z0-9._/+-]*$",
        "write a branch, a tag, or the whole hash of a commit",
        longest=255,
    ),
]


class GitSource(
    ApiModel,
    json_schema_extra=rules(
        (
            "!(self.url.startsWith('ssh://') || !self.url.contains('://')) || "
            "has(self.credentialsSecretName)",
            "write source.git.credentialsSecretName: a Secret with ssh-privatekey and known_hosts "
            "opens a repository over SSH",
        )
    ),
):
    """Source files that are in a git repository; each pod gets those of one commit."""

    url: GitUrl
    """URL of the repository."""
    ref: GitRef | None = Field(
        default=None,
        description="Branch, tag or commit; the server's default branch where absent. Only a tag "
        "or a commit is the same for every pod and every try.",
    )
    path: FolderPath | None = Field(
        default=None, description="Folder in the repository that is the source."
    )
    credentials_secret_name: DnsName | None = Field(
        default=None,
        description="Secret with username and password (a token, say); over SSH with "
        "ssh-privatekey and known_hosts.",
    )
    submodules: bool | None = Field(
        default=None,
        description="Whether to bring the commit's submodules too; not by default. Only those on "
        "the repository's own host are opened with its Secret.",
    )

    @property
    def is_ssh(self) -> bool:
        """Whether the repository is reached by SSH."""
        return self.url.startswith("ssh://") or "://" not in self.url


class ArchiveSource(ApiModel):
    """Source files that are in a tar or zip archive."""

    uri: FetchedUri
    """Where the archive lies."""
    sha256: Sha256 | None = Field(
        default=None, description="The archive's digest; one with another is not unpacked."
    )
    path: FolderPath | None = Field(
        default=None, description="Folder in the archive that is the source."
    )
    credentials_secret_name: DnsName | None = Field(
        default=None,
        description="Secret with the variables that open the URI; the store's own for s3 without.",
    )


class Source(
    ApiModel,
    json_schema_extra=rules(
        (
            "[has(self.configMap), has(self.git), has(self.archive), has(self.image)]"
            ".filter(x, x).size() == 1",
            "write exactly one of source.configMap (files in a ConfigMap), source.git (a "
            "repository), source.archive (a tar or zip file) and source.image (files in the image)",
        )
    ),
):
    """Where the training script comes from: exactly one of its fields."""

    config_map: ConfigMapSource | None = None
    """Files in a ConfigMap."""
    git: GitSource | None = None
    """Files of a commit in a git repository."""
    archive: ArchiveSource | None = None
    """Files in an archive."""
    image: ImageSource | None = None
    """Files in the image."""
