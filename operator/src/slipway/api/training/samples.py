"""Rows that a packaged model answers, and each of its pods once more before it is ready."""

from typing import Annotated

from pydantic import Field

from slipway.api.base import ApiModel, FilePath, Image
from slipway.api.common import ResourceRequirements
from slipway.api.fields.number import check, number_or_text

MAX_SAMPLES = 1000
"""Most rows of a package."""

Tolerance = Annotated[
    int | float | str,
    check(lambda value: 0 <= value <= 1, "write a number from 0 to 1, such as 0.001"),
    number_or_text(
        maximum=1,
        maxLength=16,
        pattern="^(0([.][0-9]+)?|1([.]0+)?|[0-9]([.][0-9]+)?[eE]-0*[1-9][0-9]*)$",
    ),
]
"""A share such as 0.001, as a number or in quotes."""


class Samples(ApiModel):
    """Rows that the packaged model answers, and each of its pods once more before it is ready.

    A pod that answers one of them otherwise never becomes ready.
    """

    file: FilePath = Field(
        description='The file with the rows, such as samples.jsonl: a line {"body": any JSON} for '
        'each, or {"base64": text, "contentType": text} for what is no JSON; 1 to 1000 rows, 8 MiB '
        "in all, and 6,553,500 bytes for each request."
    )
    tolerance: Tolerance = Field(
        default=0.0001,
        description="By how much a float of an answer may differ, as a share of its magnitude or "
        "of the greatest in its list. All else must be the same.",
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] = Field(
        default=600,
        description="Longest time to load the model and answer all rows, when it is packaged.",
    )
    image: Image | None = Field(
        default=None,
        description="The image in which the model answers when it is packaged, which stands on "
        "that of the Python server, as server.image does; the release's own by default.",
    )
    resources: ResourceRequirements = Field(
        default_factory=ResourceRequirements,
        description="Resources of the container in which the model answers when it is packaged; "
        "those that are not named are the release's.",
    )
