"""All that the rollout's state machine looks at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from slipway.api.serving.analysis import Analysis, AnalysisState
from slipway.api.serving.model_status import ModelStatus
from slipway.api.serving.rollout_status import RolloutStatus, SlotName
from slipway.api.serving.server import RuntimeName
from slipway.serving.observed.deployment_progress import Progress
from slipway.serving.observed.start_problems import Problem
from slipway.serving.requests import Requests
from slipway.serving.rollout.steps import Programme


@dataclass(frozen=True)
class Limits:
    """The spec's times in seconds, and how many ended rollouts are remembered."""

    deadline: int
    scale_down_delay: int
    history: int


@dataclass(frozen=True)
class RolloutView:
    """One look at the world.

    ``wanted`` is the revision that the spec asks for; None while its archive is not known.
    ``progress`` tells of a revision in a slot. ``base`` is how many pods are to serve.
    ``recorded`` tells whether a revision can be made again. ``settled`` tells whether the serving
    pods know of the shares that a status stands for. ``problem`` is what is wrong with the pods of
    the candidate, ``last_lines`` what the server in one of them wrote before it failed last.
    ``models`` and ``runtimes`` are of the revisions that can be made, by their names.
    """

    now: datetime
    wanted: str | None
    programme: Programme | None
    requests: Requests
    limits: Limits
    base: int
    progress: Callable[[SlotName, str], Progress]
    recorded: Callable[[str], bool]
    settled: Callable[[RolloutStatus], bool]
    problem: Callable[[str], Problem | None]
    last_lines: Callable[[str], str]
    evaluate: Callable[[Analysis, AnalysisState], AnalysisState]
    models: Mapping[str, ModelStatus]
    runtimes: Mapping[str, RuntimeName]
