"""What the operator knows of TorchServe 0.12: its configuration and its processes' size. Pure.

TorchServe is not maintained any more; whatever replaces it stands beside this package, the runtime
in `slipway.serving.children.pod.runtimes`, and the server image.
"""

from slipway.torchserve.properties import ServerConfig, config_properties
from slipway.torchserve.sizing import java_options

__all__ = ["ServerConfig", "config_properties", "java_options"]
