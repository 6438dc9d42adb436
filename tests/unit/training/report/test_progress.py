"""The progress in the status."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.api import timestamp
from slipway.api.training.status import CheckpointProgress, Progress
from slipway.training.report.progress import exact, from_report
from tests.unit.training.job_controller import job_condition
from tests.unit.training.simulation import Cluster, trained, underway


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


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_exact_text_is_the_number_itself(value: float) -> None:
    assert float(exact(value)) == value
    assert len(exact(value)) <= 32


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


def test_the_metrics_that_gates_judge_are_kept_before_others() -> None:
    metrics = {f"m{number}": number for number in range(100)} | {"zeta": 0.5, "yield": 2}
    found = from_report({"step": 1, "metrics": metrics}, first=["zeta", "yield", "absent"])
    assert found is not None
    assert len(found.metrics) == 32
    assert (found.metrics["zeta"], found.metrics["yield"]) == ("0.5", "2")
    assert found.dropped_metrics == 70
    assert set(found.metrics) - {"zeta", "yield"} == {*sorted(metrics)[:30]}


@pytest.mark.parametrize("name", ["\ud800", "loss\x1b[2J", "loss\n", "\u202eloss", "", "x" * 65])
def test_a_metric_whose_name_cannot_be_shown_is_left_out_and_counted(name: str) -> None:
    progress = from_report({"step": 5, "metrics": {name: 1.0, "Verlust (größer)": 2.0}})
    assert progress is not None
    assert (progress.metrics, progress.dropped_metrics) == ({"Verlust (größer)": "2"}, 1)


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


def restarted() -> Cluster:
    """Return a job that had done all its steps in the attempt before."""
    cluster = underway(lingering=True, restart={"maxRestarts": 3})
    saved = CheckpointProgress(step=40)
    cluster.progress = Progress(step=100, total_steps=100, checkpoint=saved, metrics={"loss": "1"})
    cluster.settle()
    assert cluster.status["progress"]["percent"] == 100
    cluster.finish(cluster.pods()[0], 1, {"reason": "ScriptFailed"})
    cluster.progress = None
    cluster.settle()
    return cluster


def test_a_job_that_restarts_shows_no_progress_of_the_attempt_before() -> None:
    cluster = restarted()
    assert cluster.status["attempt"] == 1
    shown = cluster.status["progress"]
    assert (shown["step"], shown["percent"], shown["metrics"]) == (40, 40, {})
    assert shown["checkpoint"]["step"] == 40


def test_what_a_pod_of_the_attempt_before_still_says_is_not_taken_for_the_new_ones() -> None:
    cluster = underway(nodes=2, lingering=True, restart={"maxRestarts": 3})
    cluster.progress = Progress(step=100, total_steps=100)
    cluster.finish(cluster.pods()[1], 1, {"reason": "ScriptFailed"})
    cluster.settle()
    cluster.disrupt(cluster.pods()[0])
    for _ in range(4):
        cluster.wait(3)
        cluster.control()
        cluster.reconcile()
        if cluster.status["attempt"] == 1 and cluster.status["phase"] == "Restarting":
            assert cluster.status["progress"].get("percent") != 100
    cluster.leave()
    cluster.settle()
    assert cluster.status["attempt"] == 1


def test_a_suspended_job_shows_the_checkpoint_that_its_pods_saved_last() -> None:
    cluster = underway(lingering=True)
    cluster.progress = Progress(step=94)
    cluster.settle()
    cluster.change(suspend=True)
    cluster.settle()
    cluster.progress = None
    word = {"step": 115, "checkpoint": {"step": 115}}
    cluster.finish(cluster.pods()[0], 143, {"reason": "Stopped", "progress": word})
    cluster.settle()
    assert cluster.status["phase"] == "Suspended"
    assert cluster.status["progress"]["checkpoint"]["step"] == 115


def test_a_resumed_job_begins_at_its_checkpoint() -> None:
    cluster = underway(lingering=True)
    cluster.progress = Progress(
        step=60, total_steps=60, checkpoint=CheckpointProgress(step=45), metrics={"loss": "0.9"}
    )
    cluster.settle()
    cluster.change(suspend=True)
    cluster.settle()
    cluster.leave()
    cluster.settle()
    cluster.progress = None
    cluster.change(suspend=False)
    cluster.settle()
    shown = cluster.status["progress"]
    assert (shown["step"], shown["percent"], shown["metrics"]) == (45, 75, {})


def test_the_outputs_counts_are_known_where_index_0s_pod_is_gone() -> None:
    cluster = underway()
    first = cluster.pods()[0]
    cluster.finish(first, 0, trained(step=9))
    cluster.forget(first)
    cluster.job()["status"] = {  # type: ignore[index]
        "completionTime": timestamp(cluster.now),
        "conditions": [job_condition("Complete", "True", "CompletionsReached", cluster.now)],
    }
    cluster.reconcile()
    output = cluster.status["output"]
    assert (output["files"], output["sizeBytes"]) == (2, 2048)
    assert cluster.status["progress"]["step"] == 9
