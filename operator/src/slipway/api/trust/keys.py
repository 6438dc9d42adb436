"""Where keys come from."""

from typing import Annotated

from slipway.api.base import ApiModel, DnsName, text

KeyName = Annotated[
    str,
    text(
        "^[-._a-zA-Z0-9]+$",
        "write a key of the Secret or ConfigMap: letters, digits, '-', '_' and '.'",
        longest=253,
    ),
]


class SecretKeyReference(ApiModel):
    """One key of a Secret in the object's namespace."""

    name: DnsName
    """Name of the Secret."""
    key: KeyName
    """Key in it."""


class ConfigMapKeyReference(ApiModel):
    """One key of a ConfigMap in the object's namespace."""

    name: DnsName
    """Name of the ConfigMap."""
    key: KeyName
    """Key in it."""
