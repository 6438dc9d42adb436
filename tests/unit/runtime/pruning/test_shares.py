"""What `slipway.prune` and `slipway.shrink` take; what they do is tested where torch is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import slipway_runtime as slipway
from slipway_runtime.pruning import shares


@given(st.floats() | st.integers())
def test_a_share_is_above_0_and_below_1(share: float) -> None:
    if not math.isnan(share) and 0 < share < 1:
        shares.check(share)
        return
    with pytest.raises(ValueError, match=r"above 0 and below 1, such as 0\.5 for half"):
        shares.check(share)


def test_another_share_is_refused_before_anything_is_pruned() -> None:
    with (
        pytest.raises(ValueError, match=r"such as 0\.5 for half \(not 50\)"),
        slipway.prune({}, 50),
    ):
        pass
    with pytest.raises(ValueError, match=r"not 0"):
        slipway.shrink({}, 0, ())
