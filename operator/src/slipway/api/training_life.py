"""How long a TrainingJob may go on, and when it is tried again: what may change while it lives."""

from typing import Annotated

from pydantic import Field

from slipway.api.base import ApiModel

Seconds = Annotated[int, Field(ge=1, le=31_536_000)]


class TrainingLife(ApiModel):
    """How the job goes on, stops and is tried again."""

    backoff_limit: Annotated[int, Field(ge=0, le=100)] = Field(
        default=0, description="How often the whole group is tried again after a failure."
    )
    active_deadline_seconds: Seconds | None = Field(
        default=None, description="Longest running time of the training, in seconds."
    )
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=31_536_000)] | None = Field(
        default=None, description="When a finished job is deleted, in seconds after its end."
    )
    suspend: bool = Field(default=False, description="Whether no pods may run at present.")
