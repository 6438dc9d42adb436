"""The smoke test of a new revision: a stored request, and what must be answered."""

import math
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from slipway.api.base import ApiModel
from slipway.api.fields.number import check, number_or_text

Json = Annotated[Any, WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True})]
"""Any JSON value."""

Tolerance = Annotated[
    int | float | str,
    check(lambda value: 0 <= value < math.inf, "write a number such as 0.001"),
    number_or_text(maxLength=16, pattern="^[0-9]+([.][0-9]+)?([eE](-[0-9]+|[0-9]{1,2}))?$"),
]
"""A number such as 0.001, as a number or in quotes."""


class SmokeTest(ApiModel):
    """A request that each new pod must answer before it takes any user's.

    It is part of the revision: another test is another revision.
    """

    request: Json = Field(description="Body of the request to the model, as JSON.")
    expected: Json | None = Field(
        default=None,
        description="The answer, as JSON; without it, any answer that is no error.",
    )
    tolerance: Tolerance | None = Field(
        default=None,
        description="By how much a number may differ, as a share of the expected number where that "
        "is above 1; such as 0.001, and 0 by default.",
    )
