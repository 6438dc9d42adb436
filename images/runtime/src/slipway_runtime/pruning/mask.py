"""What holds weights at zero, as a parametrization of torch. It is imported where torch is."""

from __future__ import annotations

from typing import Any

from torch import nn


class Mask(nn.Module):  # type: ignore[misc]
    """Lets a weight through with zeros at some places, by which no gradient flows back.

    The places are a buffer, so that a ``state_dict`` of the time between has them.
    """

    def __init__(self, zero: Any) -> None:
        """Take a tensor of the weight's shape that is true where the weight is to be zero."""
        super().__init__()
        self.register_buffer("zero", zero)

    def forward(self, weight: Any) -> Any:
        """Return the weight with its zeros."""
        return weight.masked_fill(self.zero, 0.0)
