"""Slipway: a Kubernetes operator that takes a PyTorch model from training pod to served traffic."""

__version__ = "0.2.0"
