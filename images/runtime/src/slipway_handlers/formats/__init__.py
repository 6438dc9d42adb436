"""Formats in which a model is kept, beside those that TorchServe's base handler loads."""
