"""What runs a model in a pod: each runtime in a module of its own, behind one interface."""

from slipway.api import ModelDeployment
from slipway.serving.children.pod.runtimes.runtime import Runtime
from slipway.serving.children.pod.runtimes.torchserve import TorchServe

TORCHSERVE = TorchServe()

__all__ = ["TORCHSERVE", "Runtime", "of"]


def of(_: ModelDeployment) -> Runtime:
    """Return the runtime of a deployment's pods."""
    return TORCHSERVE
