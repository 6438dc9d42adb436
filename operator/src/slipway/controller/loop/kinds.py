"""The kinds under control, each with its observer and its planner."""

from collections.abc import Callable, Mapping
from typing import Any

from slipway.api.serving.deployment import ModelDeployment
from slipway.api.training.job import TrainingJob
from slipway.controller.loop.observer import Observer
from slipway.controller.loop.reconciler import Controlled
from slipway.serving.planner import plan as plan_serving
from slipway.training.planner import plan as plan_training

Kinds = Mapping[str, Controlled[Any]]
MakeKinds = Callable[[Observer], Kinds]


def make_kinds(observer: Observer) -> Kinds:
    """Return the operator's own kinds by name."""
    return {
        "TrainingJob": Controlled(TrainingJob, observer.training, plan_training),
        "ModelDeployment": Controlled(ModelDeployment, observer.serving, plan_serving),
    }
