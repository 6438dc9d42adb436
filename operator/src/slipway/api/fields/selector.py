"""A label selector, as Kubernetes' own kinds have it, bounded."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from slipway.api.base import ApiModel, rules

LabelKey = Annotated[str, Field(min_length=1, max_length=316)]
LabelValue = Annotated[str, Field(max_length=63)]


class LabelRequirement(
    ApiModel,
    json_schema_extra=rules(
        (
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
            "write values with the operators In and NotIn, and only with them",
        )
    ),
):
    """One condition on a label."""

    key: LabelKey
    """Key of the label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label is compared with the values."""
    values: Annotated[list[LabelValue], Field(max_length=16)] = Field(default_factory=list)
    """Values to compare with."""

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Tell whether the labels fulfill the condition; NotIn holds where there is no label."""
        there = self.key in labels
        if self.operator == "Exists":
            return there
        if self.operator == "DoesNotExist":
            return not there
        return (there and labels[self.key] in self.values) == (self.operator == "In")


class AnySelector(ApiModel):
    """Conditions on labels, all of which must hold; none select everything."""

    match_labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=16)] = Field(
        default_factory=dict, description="Labels with their values."
    )
    match_expressions: Annotated[list[LabelRequirement], Field(max_length=16)] = Field(
        default_factory=list, description="Further conditions."
    )

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an object with these labels is selected."""
        plain = all(labels.get(key) == value for key, value in self.match_labels.items())
        return plain and all(one.holds(labels) for one in self.match_expressions)


class LabelSelector(
    AnySelector,
    json_schema_extra=rules(
        (
            "(has(self.matchLabels) && self.matchLabels.size() > 0) || "
            "(has(self.matchExpressions) && self.matchExpressions.size() > 0)",
            "write at least one of matchLabels and matchExpressions",
        )
    ),
):
    """Conditions on labels, all of which must hold: at least one."""
