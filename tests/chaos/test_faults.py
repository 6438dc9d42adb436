"""After each fault every object is as it should be, and the operator needs what it did before."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.faults import FAULTS, Fault
from tests.chaos.scene import control_plane, scene
from tests.harness import TestControlPlane

pytestmark = [pytest.mark.contract, pytest.mark.long]

SECONDS = float(os.environ.get("SLIPWAY_CHAOS_SECONDS", "60"))
"""How long a fault lasts."""
MORE_MEMORY = 24.0
"""What an operator may keep of a fault, in MiB: Python gives little back."""
MORE_REQUESTS = 1.0
"""Requests a second at rest beyond those before: looks that were put off."""


@pytest.fixture
def plane() -> Iterator[TestControlPlane]:
    """A control plane for each fault: what one leaves behind does not excuse the next."""
    with control_plane() as running:
        yield running


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_all_is_as_it_should_be_after_a_fault(
    plane: TestControlPlane, fault: Fault, tmp_path: Path
) -> None:
    async with scene(plane, tmp_path) as played:
        found = await played.suffer(fault.happen, SECONDS)
    assert found.after.memory <= found.before.memory + MORE_MEMORY
    assert found.after.requests <= found.before.requests + MORE_REQUESTS
    assert found.restarts <= 1 + SECONDS / 30
