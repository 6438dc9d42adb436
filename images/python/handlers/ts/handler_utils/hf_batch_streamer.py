"""Refused by its name: see `ts.refused`."""

from ts.refused import NotServedHereError

raise NotServedHereError(
    "ts.handler_utils.hf_batch_streamer",
    "continuous batching is not served here; serve the model with vLLM, or with TorchServe.",
)
