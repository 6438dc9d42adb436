"""Refused by its name: see `ts.refused`."""

from ts.refused import NotServedHereError

raise NotServedHereError(
    "ts.torch_handler.dali_image_classifier",
    "use the handler image_classifier, or serve it with TorchServe.",
)
