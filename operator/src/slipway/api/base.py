"""The base of all API models, and the bounded scalar types that the kinds share."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

GROUP = "slipway.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

MAX_NAME = 40
"""Longest name of an object of ours: its children's names and labels add to it (limit 63)."""


class ApiModel(BaseModel):
    """A frozen piece of an API object; attributes are snake_case, the wire is camelCase.

    Unknown fields are ignored here: reporting them is the API server's part (strict field
    validation), and an object stored by a newer release must not break an older operator.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    def to_wire(self) -> dict[str, Any]:
        """Return the camelCase JSON form, without the fields that are None."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Return the schema extension for CEL rules given as (rule, message) pairs."""
    return {"x-kubernetes-validations": [{"rule": r, "message": m} for r, m in pairs]}


def text(pattern: str, message: str, *, longest: int, shortest: int = 1) -> Any:
    """Return a string field that must match a pattern, with a message that says what to write.

    The rule stands as CEL beside the lengths, since the message of a schema ``pattern`` would show
    the expression alone. ``pattern`` must not contain a single quote or a backslash.
    """
    return Field(
        min_length=shortest,
        max_length=longest,
        json_schema_extra=rules((f"self.matches('{pattern}')", message)),
    )


@dataclass(frozen=True)
class OneOf:
    """A string field that takes no other than these values; for those of a registry."""

    values: tuple[str, ...]

    def __get_pydantic_core_schema__(self, *_: Any) -> CoreSchema:
        """Validate the values, and list them in the schema."""
        return core_schema.literal_schema(list(self.values))


_OPENS_ITSELF = "^(hf://[^/?#]*:|(s3|gs|az|https?)://([^/?#]*@|[^/?#@:[]*:[0-9]*[^/?#0-9]))"
"""A URI with a user or password before its host; in Hugging Face's ``@`` marks a revision."""


def uri_text(pattern: str, message: str, secret: str, *, longest: int) -> Any:
    """Return a field as of `text` for a URI: one that says what opens it is refused.

    ``secret`` is the field that names it instead.
    """
    opens = f"remove user and password from the URI: {secret}"
    return Field(
        min_length=1,
        max_length=longest,
        json_schema_extra=rules(
            (f"self.matches('{pattern}')", message),
            (f"!self.matches('{_OPENS_ITSELF}')", opens),
        ),
    )


def map_list(*keys: str) -> dict[str, Any]:
    """Return the schema extension of a list that merges by the given keys."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


DnsName = Annotated[
    str,
    text(
        "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "write the name of a Kubernetes object: lower-case letters, digits, '-' and '.'",
        longest=253,
    ),
]
"""A DNS-1123 subdomain, as Kubernetes names objects."""

OwnName = Annotated[
    str,
    text(
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        f"write the name of an object: at most {MAX_NAME} lower-case letters, digits and '-'",
        longest=MAX_NAME,
    ),
]
"""The name of a TrainingJob or a ModelDeployment."""

ModelName = Annotated[
    str,
    text(
        "^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$",
        "write a model name of at most 63 letters, digits, '-' and '_', such as my-model",
        longest=63,
    ),
]
"""A model's name in TorchServe's URLs."""

ModelVersion = Annotated[
    str,
    text(
        "^[0-9]+([.][0-9]+)*$", "write a version of numbers joined by dots, such as 1.0", longest=20
    ),
]
"""A model's version in TorchServe: numbers joined by dots."""

Sha256 = Annotated[
    str,
    text(
        "^[0-9a-f]{64}$",
        "write the 64 lower-case hexadecimal digits that sha256sum prints for the archive",
        shortest=64,
        longest=64,
    ),
]
"""A SHA-256 digest in lower-case hexadecimal."""

_PART = "([^/.[:cntrl:]][^/[:cntrl:]]*|[.][^/.[:cntrl:]][^/[:cntrl:]]*|[.][.][^/[:cntrl:]]+)"
"""A part of a path in RE2: any name but ``.`` and ``..``, without control characters."""
_PATH = f"{_PART}(/{_PART})*"
_PATH_RULE = "no '/' at its begin, no part that is empty, '.' or '..', and no control characters"

FilePath = Annotated[
    str,
    text(
        f"^{_PATH}$",
        f"write a file's relative path, such as src/train.py: {_PATH_RULE}; a folder does not do",
        longest=255,
    ),
]
"""A file's relative path without ``.`` or ``..`` parts; any names that Linux allows, else."""

FolderPath = Annotated[
    str,
    text(
        f"^{_PATH}/?$",
        f"write a relative path, such as assets/ or src/train.py: {_PATH_RULE}",
        longest=255,
    ),
]
"""The relative path of a file, or of a folder, which may end in a slash."""

Image = Annotated[
    str,
    text("^[^ ]+$", "write an image reference, such as registry/name:tag", longest=512),
]

Quantity = Annotated[
    int | str,
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "maxLength": 32,
            "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
            r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
        }
    ),
]
"""A Kubernetes resource quantity, such as ``500m`` or ``2Gi``."""

IntOrPercent = Annotated[
    int | str,
    WithJsonSchema({"x-kubernetes-int-or-string": True, "maxLength": 8, "pattern": r"^[0-9]+%?$"}),
]
"""A count, or a share such as ``25%``."""
