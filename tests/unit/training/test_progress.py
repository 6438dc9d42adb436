"""The progress in the status."""

from typing import Any

import pytest

from slipway.api.training_status import CheckpointProgress, Progress
from slipway.training.progress import from_report
from tests.unit.training.simulation import trained, underway


def test_a_reported_progress_gets_its_percentage() -> None:
    cluster = underway()
    cluster.progress = Progress(step=30, total_steps=120)
    cluster.settle()
    assert cluster.status["progress"]["percent"] == 25


def test_the_last_known_progress_stays_when_the_pod_is_silent() -> None:
    cluster = underway()
    cluster.progress = Progress(step=30)
    cluster.settle()
    cluster.progress = None
    cluster.settle()
    assert cluster.status["progress"]["step"] == 30


def test_an_older_report_does_not_replace_the_last_word() -> None:
    cluster = underway()
    cluster.progress = Progress(step=30)
    cluster.settle()
    cluster.finish_all(message=trained(step=40))
    cluster.settle()
    assert cluster.status["progress"]["step"] == 40


@pytest.mark.parametrize(
    ("step", "total", "percent"),
    [(0, 10, 0), (1, 3, 33), (10, 10, 100), (11, 10, 100), (5, None, None), (5, 0, None)],
)
def test_percent_is_the_share_of_the_steps(
    step: int, total: int | None, percent: int | None
) -> None:
    found = from_report({"step": step, "totalSteps": total})
    assert found is not None
    assert found.percent == percent


def test_metrics_are_decimal_text() -> None:
    found = from_report({"step": 1, "metrics": {"loss": 0.123456789, "nan": float("nan")}})
    assert found is not None
    assert found.metrics == {"loss": "0.123457", "nan": "nan"}


@pytest.mark.parametrize(
    "report", [{}, {"step": None}, {"step": "1"}, {"step": -1}, {"step": True}, {"step": 1.5}]
)
def test_a_report_without_a_step_is_none(report: dict[str, Any]) -> None:
    assert from_report(report) is None


@pytest.mark.parametrize("time", [None, "now", -1, float("inf"), 10**30, [1]])
def test_a_time_that_is_none_is_left_out(time: Any) -> None:
    found = from_report({"step": 1, "time": time})
    assert found is not None
    assert found.last_report_time is None


def test_no_more_metrics_are_kept_than_the_api_allows() -> None:
    found = from_report({"step": 1, "metrics": {str(number): number for number in range(100)}})
    assert found is not None
    assert len(found.metrics) == 32


def test_numbers_that_no_float_holds_are_left_out() -> None:
    found = from_report({"step": 1, "metrics": {"loss": 0.5, "n": 10**400}, "time": 10**400})
    assert found is not None
    assert found.metrics == {"loss": "0.5"}
    assert found.last_report_time is None


def test_the_last_word_keeps_a_loss_that_is_no_number_as_the_helper_writes_it() -> None:
    metrics = {"loss": "nan", "grad": "inf", "low": "-inf", "other": "text"}
    found = from_report({"step": 1, "metrics": metrics})
    assert found is not None
    assert found.metrics == {"grad": "inf", "loss": "nan", "low": "-inf"}


def test_pace_and_time_left_are_read_where_they_are_numbers() -> None:
    pace = {"stepsPerSecond": 0.1234567, "samplesPerSecond": 3, "etaSeconds": 12.9}
    found = from_report({"step": 1, **pace, "stopReason": "WallTime"})
    assert found is not None
    assert (found.steps_per_second, found.samples_per_second) == ("0.123457", "3")
    assert (found.eta_seconds, found.stop_reason) == (12, "WallTime")
    broken = {"stepsPerSecond": "x", "samplesPerSecond": -1, "etaSeconds": float("inf")}
    assert from_report({"step": 1, **broken, "stopReason": ["a"]}) == from_report({"step": 1})


def test_a_restarted_job_still_tells_of_its_newest_checkpoint() -> None:
    cluster = underway()
    saved = CheckpointProgress(step=20, time="2026-01-02T00:00:00Z")
    cluster.progress = Progress(step=25, checkpoint=saved)
    cluster.settle()
    cluster.progress = Progress(step=21)
    cluster.settle()
    assert cluster.status["progress"]["checkpoint"]["step"] == 20


def test_the_last_words_checkpoint_is_read_where_it_is_one() -> None:
    said = {"step": 20, "time": 1767312000.5, "seconds": 3.9, "sizeBytes": 5, "uri": "s3://a"}
    found = from_report({"step": 1, "checkpoint": said})
    assert found is not None
    assert found.checkpoint == CheckpointProgress(
        step=20, time="2026-01-02T00:00:00Z", duration_seconds=3, size_bytes=5
    )
    broken: Any
    for broken in (None, [], {"step": -1}, {"time": 1}):
        assert from_report({"step": 1, "checkpoint": broken}) == from_report({"step": 1})
