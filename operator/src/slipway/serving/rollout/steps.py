"""What a strategy does one after the other, as one list of steps for all strategies."""

import hashlib
import json
from dataclasses import dataclass

from slipway.api.fields.duration import seconds_of
from slipway.api.serving.analysis import Analysis
from slipway.api.serving.rollout import ABTest, BlueGreen, Canary, Rollout, Shadow
from slipway.api.serving.rollout import Step as UserStep


@dataclass(frozen=True)
class SetWeight:
    """Send, or mirror, a share of the requests to the candidate, in percent."""

    weight: int
    mirror: bool = False
    matching: bool = False

    def __str__(self) -> str:
        share = f"{'mirror' if self.mirror else 'setWeight'} {self.weight}"
        return f"match, {share}" if self.matching else share


@dataclass(frozen=True)
class SetReplicas:
    """Give the candidate so many pods from here on; None for as many as it will need."""

    replicas: int | None

    def __str__(self) -> str:
        return "setReplicas" if self.replicas is None else f"setReplicas {self.replicas}"


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds; None until the step is promoted."""

    seconds: int | None = None

    def __str__(self) -> str:
        return "pause" if self.seconds is None else f"pause {self.seconds}s"


@dataclass(frozen=True)
class Analyse:
    """Judge the candidate."""

    spec: Analysis

    def __str__(self) -> str:
        return "analysis"


@dataclass(frozen=True)
class Promote:
    """Bring the candidate up in full and let it take over."""

    def __str__(self) -> str:
        return "promote"


Step = SetWeight | SetReplicas | Pause | Analyse | Promote


@dataclass(frozen=True)
class Programme:
    """All steps of a rollout, and the analysis that goes on beside them."""

    steps: tuple[Step, ...]
    background: Analysis | None
    hash: str

    @property
    def promotion(self) -> int:
        """The index of the step that promotes."""
        return next(index for index, step in enumerate(self.steps) if step == Promote())


DIRECT = Programme((Promote(),), None, "direct")
"""Going back to a revision that was stable a moment ago takes no trying out."""


def programme_of(rollout: Rollout) -> Programme | None:
    """Return the steps of a strategy; None for one that replaces pods in place."""
    if rollout.strategy == "RollingUpdate":
        return None
    if rollout.canary is not None:
        steps, background = _canary(rollout.canary), rollout.canary.analysis
    elif rollout.ab_test is not None:
        steps, background = _ab_test(rollout.ab_test), None
    elif rollout.strategy == "Shadow":
        steps, background = _shadow(rollout.shadow or Shadow()), None
    else:
        steps, background = _blue_green(rollout.blue_green or BlueGreen()), None
    return Programme(tuple(steps), background, _hash(rollout))


def analyses_of(rollout: Rollout) -> list[Analysis]:
    """Return all analyses of a strategy: those of its steps, then the one beside them."""
    programme = programme_of(rollout)
    if programme is None:
        return []
    analyses = [step.spec for step in programme.steps if isinstance(step, Analyse)]
    return [*analyses, programme.background] if programme.background else analyses


def _canary(canary: Canary) -> list[Step]:
    if canary.auto_steps is None:
        return [*map(_user_step, canary.steps or ()), Promote()]
    auto = canary.auto_steps
    pause = Pause(seconds_of(auto.interval))
    weights = range(auto.step_weight, auto.max_weight + 1, auto.step_weight)
    return [*(step for weight in weights for step in (SetWeight(weight), pause)), Promote()]


def _user_step(step: UserStep) -> Step:
    if step.set_weight is not None:
        return SetWeight(step.set_weight)
    if step.set_replicas is not None:
        return SetReplicas(step.set_replicas)
    if step.analysis is not None:
        return Analyse(step.analysis)
    return _pause(step.pause.duration if step.pause else None)


def _blue_green(wanted: BlueGreen) -> list[Step]:
    before, after = wanted.pre_promotion_analysis, wanted.post_promotion_analysis
    return [
        SetReplicas(wanted.preview_replicas),
        *([Analyse(before)] if before else []),
        *([] if wanted.auto_promote else [Pause()]),
        Promote(),
        *([Analyse(after)] if after else []),
    ]


def _shadow(wanted: Shadow) -> list[Step]:
    start = SetWeight(wanted.weight, mirror=True)
    return [start, *_trial(wanted), SetWeight(0), Promote()]


def _ab_test(wanted: ABTest) -> list[Step]:
    return [SetWeight(wanted.weight, matching=True), *_trial(wanted), Promote()]


def _trial(wanted: Shadow | ABTest) -> list[Step]:
    return [
        *([Analyse(wanted.analysis)] if wanted.analysis else []),
        *([_pause(wanted.duration)] if wanted.duration else []),
        *([] if wanted.auto_promote else [Pause()]),
    ]


def _pause(duration: str | None) -> Pause:
    return Pause(seconds_of(duration) if duration else None)


def _hash(rollout: Rollout) -> str:
    parts = (rollout.canary, rollout.blue_green, rollout.shadow, rollout.ab_test)
    content = [rollout.strategy, *(part.to_wire() if part else None for part in parts)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]
