"""Refused by its name: see `ts.refused`."""

from ts.refused import NotServedHereError

raise NotServedHereError(
    "ts.torch_handler.distributed.base_neuronx_microbatching_handler",
    "it needs Neuron devices; serve it with TorchServe.",
)
