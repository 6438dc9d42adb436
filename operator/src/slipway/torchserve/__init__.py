"""Everything that knows TorchServe 0.12: its configuration and the size of its processes. Pure.

TorchServe is not maintained any more; whatever replaces it replaces this package.
"""

from slipway.torchserve.properties import ServerConfig, config_properties
from slipway.torchserve.sizing import java_options, threads_per_worker

__all__ = ["ServerConfig", "config_properties", "java_options", "threads_per_worker"]
