"""The kinds TrainingJob and ModelDeployment, and the CRDs made from them."""

from slipway.api.base import API_VERSION, GROUP, VERSION, ApiModel
from slipway.api.common import Condition, controller_reference
from slipway.api.conditions import Conditions, find, is_true, parse_time, timestamp
from slipway.api.serving.deployment import ModelDeployment
from slipway.api.training.job import TrainingJob

__all__ = [
    "API_VERSION",
    "GROUP",
    "VERSION",
    "ApiModel",
    "Condition",
    "Conditions",
    "ModelDeployment",
    "TrainingJob",
    "controller_reference",
    "find",
    "is_true",
    "parse_time",
    "timestamp",
]
