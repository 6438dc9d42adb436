# mypy: ignore-errors
# It runs where torch is, which has no types here.
from torch import nn


class Digits(nn.Module):
    """From 64 pixels to the logits of ten classes, with batch norm on the way."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1, stride=2),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(1024, 128),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(128, 10),
        )

    def forward(self, pixels):
        return self.layers(pixels.reshape(-1, 1, 8, 8) / 16)
