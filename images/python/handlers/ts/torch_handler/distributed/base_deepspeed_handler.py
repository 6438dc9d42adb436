"""Refused by its name: see `ts.refused`."""

from ts.refused import NotServedHereError

raise NotServedHereError(
    "ts.torch_handler.distributed.base_deepspeed_handler",
    "a model is not spread over processes here; serve it with TorchServe, or with vLLM.",
)
