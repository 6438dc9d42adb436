"""Refused by its name: see `ts.refused`."""

from ts.refused import NotServedHereError

raise NotServedHereError(
    "ts.torch_handler.dali_handler",
    "decode images with torchvision in preprocess, or serve it with TorchServe.",
)
