"""Smaller or faster forms of an exported model, of which the best is packaged."""

from typing import Annotated, Literal

from pydantic import Field

from slipway.api.base import ApiModel
from slipway.api.training.samples import Tolerance

Candidate = Literal["Onnx", "Int8Dynamic", "Int8Static", "TorchaoInt8"]
MAX_FORMS = 5
"""The candidates, and the float model."""
MAX_OPTIMIZE_MESSAGE = 512
"""Longest sentence on a candidate, in characters."""

Decimal = Annotated[str, Field(max_length=32)]


class Optimize(ApiModel):
    """Forms of the model that are made and measured when it is packaged; the best is packaged.

    A form is taken if the objective's figure is at least 5% less than the float model's, and its
    answers to package.samples are within the tolerance. Otherwise the float model is packaged.
    """

    objective: Literal["Latency", "Size"] = "Latency"
    """What is to be less: the processor time of a request, or the size of the model's file."""
    candidates: Annotated[list[Candidate], Field(min_length=1, max_length=4)] = Field(
        default=["Onnx", "Int8Dynamic", "Int8Static"],
        description="Which forms: Onnx, for ONNX Runtime; Int8Dynamic, weights of 8 bits; "
        "Int8Static, activations of 8 bits too, whose ranges are taken from package.samples; "
        "TorchaoInt8, weights of 8 bits in linear layers, in a .pt2 as before.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    tolerance: Tolerance = Field(
        default=0.01,
        description="The greatest share of answers whose best class is another than the float "
        "model's; for a model without classes, by how much an answer may differ, as a share of the "
        "greatest.",
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] = Field(
        default=900,
        description="Longest time to make and measure all candidates; those without figures by "
        "then are left out.",
    )


class OptimizationStatus(ApiModel):
    """What became of one form of the model."""

    candidate: Literal["Float", "Onnx", "Int8Dynamic", "Int8Static", "TorchaoInt8"]
    """Which form; Float is the model as it was exported."""
    verdict: Literal["Packaged", "Passed", "Refused", "Failed"]
    """Whether it is in the archive, good enough, not good enough, or could not be measured."""
    size_bytes: Annotated[int, Field(ge=0)] | None = None
    """Size of the model's file, in bytes."""
    latency_milliseconds: Decimal | None = Field(
        default=None,
        description="Processor time of a request alone, on one thread and without the handler, in "
        "milliseconds, as decimal text.",
    )
    agreement: Decimal | None = Field(
        default=None,
        description="Share of answers whose best class is the float model's, as decimal text; "
        "absent for a model without classes.",
    )
    difference: Decimal | None = Field(
        default=None,
        description="Greatest distance of an answer from the float model's, as a share of the "
        "greatest answer, as decimal text.",
    )
    message: Annotated[str, Field(max_length=MAX_OPTIMIZE_MESSAGE)] = ""
    """Why it is in the archive or not, as a sentence."""
