"""What a TrainingJob's status remembers of its attempts: their running time, and how one failed."""

from typing import Annotated

from pydantic import Field

from slipway.api.base import ApiModel

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class RunTime(ApiModel):
    """The clock that spec.activeDeadlineSeconds bounds."""

    used_seconds: Annotated[int, Field(ge=0)] = 0
    """Running time of the stretches that are over: of earlier attempts and before suspensions."""
    since: Moment | None = None
    """Start of the stretch that runs now; absent while no pods run."""


class BackOff(ApiModel):
    """How the next start of the group is put off after attempts that ended soon."""

    short_attempts: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="Attempts in a row whose pods ran shorter than ten minutes, whatever ended "
        "them.",
    )
    until: Moment | None = None
    """The group starts again no sooner than this; absent where it need not wait."""


class FailureStatus(ApiModel):
    """The last failure: the pod that failed first, not those that died of it."""

    reason: Annotated[str, Field(max_length=64)]
    """Why, as one word."""
    disruption: bool = False
    """Whether the cluster took the pod away rather than the program failed."""
    attempt: Annotated[int, Field(ge=0)] = 0
    """The attempt that failed."""
    pod: Annotated[str, Field(max_length=253)] = ""
    """Name of the pod that failed first; empty where no pod is left to say why."""
    index: Annotated[int, Field(ge=0)] | None = None
    """The pod's index in its Job."""
    node: Annotated[str, Field(max_length=253)] = ""
    """The machine that the pod ran on."""
    container: Annotated[str, Field(max_length=63)] = ""
    """The container that failed."""
    exit_code: int | None = None
    """The container's exit code."""
    signal: Annotated[str, Field(max_length=32)] | None = None
    """The signal that ended the program, such as SIGKILL."""
    time: Moment | None = None
    """When it failed."""
    followers: Annotated[int, Field(ge=0)] = 0
    """How many other pods failed with it, or were stopped because of it."""
    log_tail: Annotated[str, Field(max_length=8192)] = ""
    """Last lines of its log."""
