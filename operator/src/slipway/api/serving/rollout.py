"""How a new revision of a served model takes over: strategies, their steps, and requests."""

from typing import Annotated, Literal

from pydantic import Field

from slipway.api.base import ApiModel, IntOrPercent, rules, text
from slipway.api.fields.duration import duration
from slipway.api.serving.analysis import Analysis
from slipway.api.serving.matching import Match, Sticky
from slipway.api.serving.smoke import SmokeTest

Strategy = Literal["RollingUpdate", "Canary", "BlueGreen", "Shadow", "ABTest"]

Duration = Annotated[str, duration("1s", "720h")]
"""A span of time from a second to thirty days."""

MAX_STEPS = 20
"""Most steps of a canary."""

Percent = Annotated[int, Field(ge=0, le=100)]
"""A share of the requests, in percent."""


RevisionRequest = Annotated[
    str,
    text(
        "^[0-9a-f]{10}$",
        "write the name of a revision, as status.rollout has it",
        longest=10,
        shortest=10,
    ),
]
"""The name of a revision that a request is about."""

StepRequest = Annotated[
    str,
    text(
        "^[0-9a-f]{10}(/[0-9]{1,2})?$",
        "write REVISION to skip all steps, or REVISION/STEP to go on from one step, as "
        "status.rollout.candidate has them, with STEP counted from 0",
        longest=13,
        shortest=10,
    ),
]
"""The name of a revision, or of one step of its rollout."""


class RollingUpdate(
    ApiModel,
    json_schema_extra=rules(
        (
            "!((self.maxSurge == 0 || self.maxSurge == '0%' || self.maxSurge == '0') && "
            "(self.maxUnavailable == 0 || self.maxUnavailable == '0%' "
            "|| self.maxUnavailable == '0'))",
            "write a maxSurge or a maxUnavailable above 0, or no pod can ever be replaced",
        )
    ),
):
    """How many pods a rolling update may add and take away."""

    max_surge: IntOrPercent = 1
    """Pods above the wanted number while rolling, as a count or a percentage."""
    max_unavailable: IntOrPercent = 0
    """Pods below the wanted number while rolling, as a count or a percentage."""


class Pause(ApiModel):
    """A wait before the next step."""

    duration: Duration | None = Field(
        default=None, description="How long; without it, until the step is promoted."
    )


class Step(
    ApiModel,
    json_schema_extra=rules(
        (
            "[has(self.setWeight), has(self.pause), has(self.setReplicas), has(self.analysis)]"
            ".filter(x, x).size() == 1",
            "write exactly one of setWeight, pause, setReplicas and analysis in each step",
        )
    ),
):
    """One step of a canary: exactly one of its fields."""

    set_weight: Percent | None = None
    """Share of the requests that go to the new revision, in percent."""
    pause: Pause | None = None
    """A wait."""
    set_replicas: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None,
        description="Pods of the new revision from here on; by default its weight's share.",
    )
    analysis: Analysis | None = None
    """A judgment of the new revision; a failed one rolls back."""


class AutoSteps(
    ApiModel,
    json_schema_extra=rules(
        ("self.stepWeight <= self.maxWeight", "write a maxWeight that is not below stepWeight")
    ),
):
    """Steps of equal size, a pause after each, then promotion."""

    step_weight: Annotated[int, Field(ge=1, le=100)]
    """What each step adds to the share, in percent."""
    interval: Duration
    """How long each step lasts."""
    max_weight: Annotated[int, Field(ge=1, le=100)] = 50
    """The last share before promotion, in percent."""


class Canary(
    ApiModel,
    json_schema_extra=rules(
        (
            "has(self.steps) != has(self.autoSteps)",
            "write exactly one of rollout.canary.steps and rollout.canary.autoSteps",
        )
    ),
):
    """A growing share of the requests goes to the new revision."""

    steps: Annotated[list[Step], Field(min_length=1, max_length=MAX_STEPS)] | None = None
    """What is done one after the other; promotion follows the last."""
    auto_steps: AutoSteps | None = None
    """Steps of equal size instead."""
    sticky: Sticky | None = None
    """What keeps a user at one revision."""
    analysis: Analysis | None = None
    """A judgment that goes on in the background while requests go to the new revision."""


class BlueGreen(ApiModel):
    """The new revision comes up in full beside the stable one, then takes all requests at once."""

    preview_replicas: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="Pods until promotion; by default as many as the stable ones."
    )
    auto_promote: bool = True
    """Whether it is promoted by itself; else it waits until the step is promoted."""
    pre_promotion_analysis: Analysis | None = None
    """A judgment before promotion, by what the preview Service brings."""
    post_promotion_analysis: Analysis | None = None
    """A judgment after promotion; a failed one goes back to the revision before."""


class Shadow(ApiModel):
    """A share of the requests is also sent to the new revision, whose answers are dropped."""

    weight: Annotated[int, Field(ge=1, le=100)] = 100
    """Share of the requests that is mirrored, in percent."""
    duration: Duration | None = Field(
        default=None, description="How long at least; see autoPromote for what follows."
    )
    analysis: Analysis | None = None
    """A judgment of the new revision by what is mirrored to it."""
    auto_promote: bool = False
    """Whether promotion follows by itself; else it waits until the step is promoted."""


class ABTest(ApiModel):
    """Requests of one group of users go to the new revision, all others to the stable one."""

    match: Annotated[list[Match], Field(min_length=1, max_length=8)]
    """Whose requests go to the new revision: those that fulfill one of these."""
    weight: Percent = 0
    """Share of all other requests that goes there too, in percent."""
    sticky: Sticky | None = None
    """What keeps a user at one revision where the weight decides."""
    duration: Duration | None = Field(
        default=None, description="How long at least; see autoPromote for what follows."
    )
    analysis: Analysis | None = None
    """A judgment of the new revision by the requests that go to it."""
    auto_promote: bool = False
    """Whether promotion follows by itself; else it waits until the step is promoted."""


class Requests(ApiModel):
    """What a user asks of a rollout by hand; each has an annotation that says the same.

    All are safe to leave in place: each names the revision it is about, or is a token that is
    obeyed once.
    """

    paused: bool = Field(
        default=False,
        description="No step follows; annotation slipway.dev/rollout-paused: 'true'.",
    )
    abort: RevisionRequest | None = Field(
        default=None,
        description="Revision that goes back to stable; annotation slipway.dev/rollout-abort.",
    )
    promote: StepRequest | None = Field(
        default=None,
        description="Revision that takes over now, or REVISION/STEP, a step that it does not wait "
        "for any longer, counted from 0; annotation slipway.dev/rollout-promote.",
    )
    rollback_to: RevisionRequest | None = Field(
        default=None,
        description="Promoted revision of status.rollout.history whose archive is served again, at "
        "once and instead of spec.model; annotation slipway.dev/rollout-rollback-to.",
    )
    retry: Annotated[str, Field(min_length=1, max_length=63)] | None = Field(
        default=None,
        description="A word of your own; a new one has the failed revision tried again; annotation "
        "slipway.dev/rollout-retry.",
    )


_ONLY_WITH = (
    ("canary", "Canary"),
    ("blueGreen", "BlueGreen"),
    ("shadow", "Shadow"),
    ("abTest", "ABTest"),
)


class Rollout(
    Requests,
    json_schema_extra=rules(
        *(
            (
                f"!has(self.{field}) || self.strategy == '{strategy}'",
                f"write rollout.{field} only with rollout.strategy {strategy}",
            )
            for field, strategy in _ONLY_WITH
        ),
        (
            "self.strategy != 'Canary' || has(self.canary)",
            "write rollout.canary, with steps or autoSteps, with rollout.strategy Canary",
        ),
        (
            "self.strategy != 'ABTest' || has(self.abTest)",
            "write rollout.abTest, with a match, with rollout.strategy ABTest",
        ),
    ),
):
    """How a new revision takes over from the one before."""

    strategy: Strategy = "RollingUpdate"
    """How a new revision takes over."""
    rolling_update: RollingUpdate = Field(default_factory=RollingUpdate)
    """How fast pods of a Deployment are replaced."""
    canary: Canary | None = None
    """The steps of strategy Canary."""
    blue_green: BlueGreen | None = None
    """How strategy BlueGreen promotes."""
    shadow: Shadow | None = None
    """What strategy Shadow mirrors."""
    ab_test: ABTest | None = None
    """Whom strategy ABTest sends to the new revision."""
    smoke: SmokeTest | None = None
    """A request that each new pod must answer rightly before it takes any user's."""
    progress_deadline_seconds: Annotated[int, Field(ge=30, le=86_400)] = Field(
        default=900, description="Time without progress after which a rollout counts as failed."
    )
    scale_down_delay_seconds: Annotated[int, Field(ge=0, le=86_400)] = Field(
        default=30,
        description="How long the revision before stays up after a promotion, so that going back "
        "to it takes no start.",
    )
    history_limit: Annotated[int, Field(ge=0, le=20)] = 10
    """How many ended rollouts status.rollout.history keeps."""
