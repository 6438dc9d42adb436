"""Refused by its name: see `ts.refused`."""

from ts.refused import NotServedHereError

raise NotServedHereError(
    "ts.torch_handler.trt_llm_handler",
    "serve the model with Triton's TensorRT-LLM backend.",
)
