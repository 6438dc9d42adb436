"""How much of a network is taken away."""

from __future__ import annotations


def check(share: float) -> None:
    """Raise ValueError where a share is not above 0 and below 1."""
    if not 0 < share < 1:
        raise ValueError(f"Write a share above 0 and below 1, such as 0.5 for half (not {share}).")
