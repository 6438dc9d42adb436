"""Refused by its name: see `ts.refused`."""

from ts.refused import NotServedHereError

raise NotServedHereError(
    "ts.torch_handler.vllm_handler",
    "serve the model with vLLM's own server.",
)
