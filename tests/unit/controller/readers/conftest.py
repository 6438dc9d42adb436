"""Time for every answer: tests are about what a reader makes of one, on a machine that is busy."""

from dataclasses import replace

import pytest

from slipway.controller.readers import (
    prometheus,
    rollout_traffic,
    store_probe,
    training_progress,
    worker_deaths,
)

SECONDS = 120.0


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have readers wait for their answers."""
    for reader in (prometheus, rollout_traffic, store_probe, training_progress, worker_deaths):
        bounds = replace(reader._BOUNDS, total_seconds=SECONDS, connect_seconds=SECONDS)
        monkeypatch.setattr(reader, "_BOUNDS", bounds)
