"""The helper for training scripts: ``import slipway_runtime as slipway``.

Importing it costs nothing: neither torch nor the store's libraries are loaded.
"""

from slipway_runtime import checkpoint
from slipway_runtime.exporting import export
from slipway_runtime.helper import World, init, report, should_stop
from slipway_runtime.model_signature import signature
from slipway_runtime.pruning.masks import prune
from slipway_runtime.pruning.outputs import shrink
from slipway_runtime.teaching.distilling import distil, distillation
from slipway_runtime.teaching.weights import load_input, teacher

__version__ = "0.2.0"

__all__ = [
    "World",
    "checkpoint",
    "distil",
    "distillation",
    "export",
    "init",
    "load_input",
    "prune",
    "report",
    "should_stop",
    "shrink",
    "signature",
    "teacher",
]
