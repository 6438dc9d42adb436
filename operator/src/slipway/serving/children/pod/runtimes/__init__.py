"""What runs a model in a pod: each runtime in a module of its own, behind one interface."""

from collections.abc import Mapping

from slipway.api import ModelDeployment
from slipway.api.serving.server import RuntimeName
from slipway.serving.children.pod.runtimes.container import Container
from slipway.serving.children.pod.runtimes.python import Python
from slipway.serving.children.pod.runtimes.runtime import Runtime
from slipway.serving.children.pod.runtimes.torchserve import TorchServe

TORCHSERVE, PYTHON, CONTAINER = TorchServe(), Python(), Container()
_RUNTIMES: Mapping[RuntimeName, Runtime] = {
    "TorchServe": TORCHSERVE,
    "Python": PYTHON,
    "Container": CONTAINER,
}

__all__ = ["CONTAINER", "PYTHON", "TORCHSERVE", "Runtime", "of"]


def of(deployment: ModelDeployment) -> Runtime:
    """Return the runtime of a deployment's pods."""
    return _RUNTIMES[deployment.spec.server.runtime]
