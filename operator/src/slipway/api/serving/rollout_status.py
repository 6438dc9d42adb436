"""Where a rollout stands: all that the operator must know to go on with it after a restart."""

from typing import Annotated, Literal

from pydantic import Field

from slipway.api.base import ApiModel, Sha256
from slipway.api.serving.analysis import AnalysisState
from slipway.api.serving.model_status import ModelStatus, Time
from slipway.api.serving.server import RuntimeName

SlotName = Literal["blue", "green"]
RolloutPhase = Literal[
    "Initial", "Progressing", "Paused", "Promoting", "Verifying", "Complete", "RolledBack"
]
Outcome = Literal["Promoted", "RolledBack", "Superseded"]

RevisionName = Annotated[str, Field(max_length=63)]
Word = Annotated[str, Field(max_length=64)]
MAX_URI = 1024
"""Longest address of an archive that is told, in characters."""
MAX_SENTENCE = 4096
"""Longest message of a rollout, in characters."""
Sentence = Annotated[str, Field(max_length=MAX_SENTENCE)]


class Candidate(ApiModel):
    """The revision that is being rolled out."""

    revision: RevisionName
    """Name of the revision."""
    slot: SlotName
    """Slot of its pods."""
    step: Annotated[int, Field(ge=0)] = 0
    """Index of the current step, counted from 0, as rollout.promote takes it. Messages count from
    1."""
    steps: Annotated[int, Field(ge=0)] = 0
    """Number of steps; 0 for a rolling update."""
    current: Annotated[str, Field(max_length=128)] = ""
    """The current step in words."""
    steps_hash: Word = ""
    """What the steps were made from; other steps start over."""
    weight: Annotated[int, Field(ge=0, le=100)] = 0
    """Share of the requests that goes to it, or is mirrored to it, in percent."""
    mirror: bool = False
    """Whether its share is mirrored: its answers are dropped."""
    matching: bool = False
    """Whether the requests that fulfill spec.rollout.abTest.match go to it."""
    base: Annotated[int, Field(ge=0)] = 1
    """Pods that it will have once it is promoted."""
    promoted: bool = False
    """Whether it has taken over already, and is only watched."""
    direct: bool = False
    """Whether it was stable a moment ago, so that no step is needed to go back to it."""
    analysis: AnalysisState | None = None
    """The analysis of the current step."""
    background: AnalysisState | None = None
    """The analysis that goes on in the background."""
    findings: Sentence = ""
    """What was found so far: the figures of analyses that passed."""
    waiting_since: Time | None = None
    """Since when it has fewer ready pods than it needs."""
    started_at: Time
    """When its rollout began."""
    step_started_at: Time
    """When the current step began."""

    @property
    def ordinal(self) -> int:
        """Number of the current step as messages have it, counted from 1; after it the last one."""
        return min(self.step + 1, self.steps) if self.steps else self.step + 1


class Failed(ApiModel):
    """The revision that was rolled back, and why."""

    revision: RevisionName
    """Name of the revision; it is not tried again by itself."""
    reason: Word
    """Why, as one word."""
    message: Sentence = ""
    """Why, with the figures."""
    log: Sentence = ""
    """How a server of it, or a worker in one, ended last, if one did, and the end of its log."""
    time: Time
    """When."""


class Retired(ApiModel):
    """A revision that serves no more, and whose pods go a little later."""

    revision: RevisionName
    """Name of the revision."""
    slot: SlotName
    """Slot of its pods."""
    until: Time
    """When its pods go."""
    was_stable: bool = False
    """Whether it was the stable one: then going back to it takes no start."""


class HistoryEntry(ApiModel):
    """A rollout that has ended."""

    revision: RevisionName
    """Name of the revision."""
    outcome: Outcome
    """How it ended: Superseded where another change came before the end."""
    reason: Word = ""
    """Why it was rolled back, as one word."""
    message: Sentence = ""
    """Why it was rolled back, or what was found of it, with the figures."""
    model: ModelStatus | None = None
    """Its archive: what rollout.rollbackTo serves again."""
    runtime: RuntimeName | None = None
    """What served it, which rollout.rollbackTo does not restore; absent where it is not known."""
    uri: Annotated[str, Field(max_length=MAX_URI)] = ""
    """Where its archive lies."""
    sha256: Sha256 | None = None
    """Its archive's digest."""
    started_at: Time
    """When it began."""
    finished_at: Time
    """When it ended."""


class RolloutStatus(ApiModel):
    """Where the rollout stands."""

    phase: RolloutPhase = "Initial"
    """Summary."""
    active_slot: SlotName = "blue"
    """Slot that the Service leads to."""
    stable_revision: RevisionName | None = None
    """The revision that a rollback ends at."""
    stable_weight: Annotated[int, Field(ge=0, le=100)] = 100
    """Share of the requests that the stable revision answers, in percent."""
    candidate: Candidate | None = None
    """The revision that is being rolled out."""
    stable_down_since: Time | None = None
    """Since when the candidate is ready and no pod of the stable revision is."""
    failed: Failed | None = None
    """The revision that was rolled back, until another one is asked for."""
    retired: Retired | None = None
    """The revision whose pods go next."""
    retry: Annotated[str, Field(max_length=63)] | None = None
    """The last retry that was obeyed."""
    history: Annotated[list[HistoryEntry], Field(max_length=20)] = Field(default_factory=list)
    """Rollouts that have ended, the newest first."""
