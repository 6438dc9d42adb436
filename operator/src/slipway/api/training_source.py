"""Where a training script comes from."""

from typing import Annotated

from pydantic import Field

from slipway.api.base import ApiModel, DnsName, rules, text


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


class Source(
    ApiModel,
    json_schema_extra=rules(
        (
            "has(self.configMap) != has(self.image)",
            "write exactly one of source.configMap (files in a ConfigMap) and source.image "
            "(files in the image)",
        )
    ),
):
    """Where the training script comes from: exactly one of its fields."""

    config_map: ConfigMapSource | None = None
    """Files in a ConfigMap."""
    image: ImageSource | None = None
    """Files in the image."""
