"""Rows that a packaged model answers, and each of its pods once more before it is ready."""

from typing import Annotated

from pydantic import ConfigDict, Field

from slipway.api.base import ApiModel, FilePath, Image, rules
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

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.evaluate) || self.evaluate.matches('[.]py(:[A-Za-z_][A-Za-z0-9_]*)?$')",
                "samples.evaluate: write a Python file and a function in it, such as "
                "evaluate.py:evaluate",
            )
        )
    )

    file: FilePath = Field(
        description='The file with the rows, such as samples.jsonl: a line {"body": any JSON} for '
        'each, or {"base64": text, "contentType": text} for what is no JSON; 1 to 1000 rows, 8 MiB '
        "in all, and 6,553,500 bytes for each request. A line may have "
        '"expected": any JSON, which samples.evaluate gets.'
    )
    tolerance: Tolerance = Field(
        default=0.0001,
        description="By how much a float of an answer may differ, as a share of its magnitude or "
        "of the greatest in its list. All else must be the same.",
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] = Field(
        default=600,
        description="Longest time to load the model, answer all rows and evaluate the answers, "
        "when it is packaged.",
    )
    evaluate: FilePath | None = Field(
        default=None,
        description="A Python file of the output or the source with a function, such as "
        "evaluate.py:evaluate, which is called with the answers and the rows (evaluate, where none "
        "is named) and returns figures by name, at most 32; gates judge them.",
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
