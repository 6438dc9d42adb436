"""The quickstart's network: two linear layers that predict how far a patient's diabetes goes on."""

import torch
from torch import nn


class DiabetesNet(nn.Module):
    """10 -> 20 -> 1 with ReLU between, on raw features and in the target's own unit.

    Takes a batch of shape (n, 10), the features as the data set has them, and gives shape (n,): the
    disease's progression after a year, between about 25 and 350. The scaling is part of the model,
    as buffers, so whoever asks it needs to know nothing of the training data.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 1))
        self.register_buffer("feature_mean", torch.zeros(10))
        self.register_buffer("feature_scale", torch.ones(10))
        self.register_buffer("target_mean", torch.zeros(1))
        self.register_buffer("target_scale", torch.ones(1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the predictions for a batch, in the target's unit."""
        scaled = self.layers((features - self.feature_mean) / self.feature_scale).squeeze(1)
        return scaled * self.target_scale + self.target_mean
