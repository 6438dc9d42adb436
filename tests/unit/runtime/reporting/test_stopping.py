import json
from collections.abc import Sequence
from typing import Any

import pytest

from slipway_runtime.reporting.stopping import Criteria, Stopper


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def stopper(clock: Clock | None = None, **criteria: Any) -> Stopper:
    return Stopper(Criteria.from_json(json.dumps(criteria)), clock or Clock())


def reason_after(stopper: Stopper, losses: Sequence[Any], name: str = "loss") -> str | None:
    for loss in losses:
        stopper.observe(None, {name: loss})
    return stopper.reason()


def test_without_criteria_a_training_never_ends_early() -> None:
    assert reason_after(Stopper(Criteria.from_json("")), [0.0, -1.0]) is None


def test_a_loss_below_the_threshold_ends_it_and_one_at_the_threshold_does_not() -> None:
    assert reason_after(stopper(lossBelow=0.5), [0.9, 0.5]) is None
    assert reason_after(stopper(lossBelow=0.5), [0.9, 0.49]) == "LossBelow"


def test_a_criterion_that_held_once_holds_on() -> None:
    assert reason_after(stopper(lossBelow=0.5), [0.4, 0.9]) == "LossBelow"


def test_patience_counts_reports_without_improvement() -> None:
    assert reason_after(stopper(patience=2), [1.0, 0.9, 0.95]) is None
    assert reason_after(stopper(patience=2), [1.0, 0.9, 0.95, 0.9]) == "Patience"


def test_patience_counts_epochs_where_the_script_reports_them() -> None:
    one = stopper(patience=2)
    for epoch, loss in [(1, 0.5), (1, 0.6), (1, 0.7), (2, 0.6), (2, 0.9)]:
        one.observe(epoch, {"loss": loss})
    assert one.reason() is None
    one.observe(3, {"loss": 0.6})
    assert one.reason() == "Patience"


def test_a_smaller_gain_than_asked_for_is_no_improvement() -> None:
    assert reason_after(stopper(patience=2, minDelta=0.1), [1.0, 0.95, 0.91]) == "Patience"


def test_a_metric_that_should_grow_is_watched_upwards() -> None:
    grows = stopper(patience=2, metric="accuracy", mode="Max")
    assert reason_after(grows, [0.1, 0.2, 0.3], "accuracy") is None
    assert reason_after(grows, [0.2, 0.2], "accuracy") == "Patience"


def test_a_report_without_the_metric_does_not_count() -> None:
    assert reason_after(stopper(patience=1), [1.0, None, None]) is None


@pytest.mark.parametrize("value", ["nan", float("nan"), "inf"])
def test_a_loss_that_is_no_number_is_no_improvement(value: Any) -> None:
    assert reason_after(stopper(patience=2, lossBelow=0.1), [1.0, value, value]) == "Patience"


def test_epochs_and_wall_time_bound_it() -> None:
    clock = Clock()
    by_epoch = stopper(maxEpochs=3)
    by_epoch.observe(2, {})
    assert by_epoch.reason() is None
    by_epoch.observe(3, {})
    assert by_epoch.reason() == "MaxEpochs"
    by_time = stopper(clock, wallTimeSeconds=60)
    clock.now = 59.0
    assert by_time.reason() is None
    clock.now = 60.0
    assert by_time.reason() == "WallTime"


def test_a_training_that_resumes_counts_on_where_it_was() -> None:
    clock = Clock()
    before = stopper(clock, patience=3, wallTimeSeconds=100)
    reason_after(before, [1.0, 1.0])
    clock.now = 60.0
    state = json.loads(json.dumps(before.state()))
    after = stopper(clock, patience=3, wallTimeSeconds=100)
    clock.now = 1000.0
    after.restore(state)
    assert after.elapsed() == 60.0
    assert reason_after(after, [1.0]) is None
    assert reason_after(after, [1.0]) == "Patience"


def test_criteria_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(ValueError, match="write an object"):
        Criteria.from_json("[1]")
