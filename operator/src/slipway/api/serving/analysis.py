"""The analysis of a new revision's traffic: what is measured, and what was found."""

from typing import Annotated, Literal

from pydantic import Field

from slipway.api.base import ApiModel, map_list, rules, text, uri_text
from slipway.api.fields.duration import Interval
from slipway.api.fields.number import Ratio, SuccessCondition, check, number_or_text

Quantile = Annotated[
    float | str,
    check(lambda value: 0 < value < 1, "write a share above 0 and below 1, such as 0.99"),
    number_or_text(maximum=1, pattern="^0[.][0-9]*[1-9][0-9]*$", maxLength=8),
]
"""Which share of the answers is faster, as a number or in quotes."""


class SuccessRate(ApiModel):
    """The share of answers, from 0 to 1, that are no server error (5xx)."""


class Latency(ApiModel):
    """The time, in milliseconds, in which a share of the answers came."""

    quantile: Quantile = "0.99"
    """Which share, such as 0.99."""


class ModelMetric(ApiModel):
    """A measure of the model's own, as its handler gives it to TorchServe.

    A gauge counts by its mean over pods and time, a counter by its increase for each request, a
    histogram by the mean of what was observed.
    """

    name: Annotated[
        str,
        text(
            "^[a-zA-Z_:][a-zA-Z0-9_:]*$",
            "write the name of the measure as TorchServe shows it to Prometheus",
            longest=128,
        ),
    ]
    """Name of the measure, such as PredictionTime."""


class PrometheusQuery(ApiModel):
    """A query of one's own; its first result counts."""

    query: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="In PromQL; {{revision}}, {{namespace}} and {{deployment}} stand for names."
    )
    address: (
        Annotated[
            str,
            uri_text(
                "^https?://[^ ]+$",
                "write the address of a Prometheus, such as http://prometheus.monitoring.svc:9090",
                "analyses ask without credentials",
                longest=512,
            ),
        ]
        | None
    ) = Field(default=None, description="Where Prometheus answers; the operator's own by default.")


_QUERY_NAMES_REVISION = {
    "properties": {"prometheus": {"properties": {"query": {"pattern": "[{][{]revision[}][}]"}}}}
}
_NO_RATIO = {"not": {"required": ["maxRatioToStable"]}}
_JUDGED = {
    "allOf": [
        {"anyOf": [{"required": ["successCondition"]}, {"required": ["maxRatioToStable"]}]},
        {"anyOf": [_NO_RATIO, _QUERY_NAMES_REVISION]},
    ]
}
"""What holds of maxRatioToStable, which CEL does not see: there is a condition or a ratio, and what
compares revisions names them."""


class AnalysisMetric(
    ApiModel,
    json_schema_extra={
        **rules(
            (
                "[has(self.successRate), has(self.latency), has(self.model), has(self.prometheus)]"
                ".filter(x, x).size() == 1",
                "write exactly one of successRate, latency, model and prometheus",
            ),
            (
                "has(self.successCondition) || !has(self.prometheus) || "
                "self.prometheus.query.contains('{{revision}}')",
                "write {{revision}} into prometheus.query, or the revisions cannot be compared",
            ),
        ),
        **_JUDGED,
    },
):
    """One measure of the new revision, and what is good enough.

    It is good where successCondition holds or, with maxRatioToStable, where the new revision is not
    so much worse than the stable one in the same time: a bad hour for both blames neither.
    """

    name: Annotated[
        str,
        text(
            "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            "write a name of lower-case letters, digits and '-'",
            longest=63,
        ),
    ]
    """Name in the status and in events."""
    success_rate: SuccessRate | None = None
    """Share of answers that are no server error."""
    latency: Latency | None = None
    """Time of the answers, in milliseconds."""
    model: ModelMetric | None = None
    """A measure of the model's own."""
    prometheus: PrometheusQuery | None = None
    """A Prometheus query."""
    success_condition: SuccessCondition | None = Field(
        default=None, description="What the value must be, such as result >= 0.99."
    )
    max_ratio_to_stable: Ratio | None = Field(
        default=None,
        description="How many times the stable revision's value is still good enough, such as 1.5; "
        "for successRate the shares of failed answers are compared. Write this, successCondition "
        "or both.",
    )


class Analysis(ApiModel):
    """How a new revision is judged by the traffic that it answers."""

    metrics: Annotated[
        list[AnalysisMetric],
        Field(min_length=1, max_length=8, json_schema_extra=map_list("name")),
    ]
    """What is measured; all must be good."""
    interval: Interval = "60s"
    """Time over which one measurement goes; a bad one that ends the analysis may take less."""
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    """Good measurements that are enough."""
    failure_limit: Annotated[int, Field(ge=0, le=1000)] = 0
    """Bad measurements that are borne; the next one ends the analysis."""
    inconclusive_limit: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=0,
        description="Measurements in a row, with too little traffic to judge by, before the "
        "analysis counts as inconclusive; it goes on until there is traffic.",
    )
    min_samples: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    """Fewest requests, of each revision that is looked at, by which one can judge."""


MAX_MEASUREMENT_MESSAGE, MAX_ANALYSIS_MESSAGE = 1024, 4096
"""Longest messages of one measurement and of an analysis, in characters."""
MAX_COUNT = 2**53
"""A count of requests beyond this is shown as this."""

Verdict = Literal["Successful", "Failed", "Inconclusive"]
AnalysisPhase = Literal["Running", "Successful", "Failed", "Inconclusive"]
_Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
_Decimal = Annotated[str, Field(max_length=32)]


class Measurement(ApiModel):
    """What one metric was in the last measurement."""

    name: Annotated[str, Field(max_length=63)]
    """Name of the metric."""
    verdict: Verdict
    """What it says of the new revision."""
    value: _Decimal | None = None
    """Value of the new revision."""
    stable_value: _Decimal | None = None
    """Value of the stable revision in the same time."""
    message: Annotated[str, Field(max_length=MAX_MEASUREMENT_MESSAGE)] = ""
    """The figures and what they were compared with, as a sentence."""


class AnalysisState(ApiModel):
    """How far an analysis is."""

    phase: AnalysisPhase = "Running"
    """Running, Successful, Failed, or Inconclusive while there is too little traffic."""
    message: Annotated[str, Field(max_length=MAX_ANALYSIS_MESSAGE)] = ""
    """Why, with the figures."""
    successful: int = 0
    """Good measurements so far."""
    failed: int = 0
    """Bad measurements so far."""
    inconclusive: int = 0
    """Measurements in a row that could not tell."""
    window_start: _Time | None = None
    """Since when the requests count that the next measurement goes by."""
    last_measurement_time: _Time | None = None
    """When was measured last."""
    requests: int = 0
    """Requests that the new revision answered in the last measurement, or since if it goes on."""
    stable_requests: int = 0
    """Requests that the stable revision answered in that time."""
    measurements: Annotated[
        list[Measurement], Field(max_length=8, json_schema_extra=map_list("name"))
    ] = Field(default_factory=list)
    """The last measurement's figures."""
