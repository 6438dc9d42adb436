"""Analyses over made-up traffic: what a revision is judged by, and when."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slipway.api.fields.number import holds
from slipway.api.serving.analysis import Analysis, AnalysisState
from slipway.serving.analysis.judgment import due_in, evaluate, moment_text, needs_traffic
from slipway.serving.analysis.traffic import Counters, PodSample, Reading, Sample, Traffic

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SUCCESS = {"name": "success", "successRate": {}, "successCondition": "result >= 0.99"}
SLOW = {"name": "slow", "latency": {"quantile": "0.9"}, "maxRatioToStable": "1.5"}


def analysis(*metrics: dict[str, Any], **fields: Any) -> Analysis:
    return Analysis.model_validate({"metrics": metrics or [SUCCESS], "interval": "60s", **fields})


def counters(requests: int, errors: int, milliseconds: float, **own: Any) -> Counters:
    latency = ((milliseconds / 2, 0.0), (milliseconds, requests), (math.inf, requests))
    return Counters(requests, errors, latency, **own)


class Story:
    """An analysis that is evaluated again and again, while two revisions answer."""

    def __init__(self, spec: Analysis, **own: Any) -> None:
        self.spec, self.now, self.state = spec, BEGIN, AnalysisState()
        self.new, self.old, self.own = (0, 0), (0, 0), own
        self.samples: list[Sample] = []
        self.times = (10.0, 10.0)
        self.look()

    def look(self, **readings: Reading) -> AnalysisState:
        pods = {
            "c": PodSample("new", counters(*self.new, self.times[0], **self.own)),
            "s": PodSample("old", counters(*self.old, self.times[1])),
        }
        self.samples.append(Sample(self.now, pods))
        asked = {one: readings[one.name] for one in self.spec.metrics if one.name in readings}
        traffic = Traffic("new", "old", tuple(self.samples), asked)
        self.state = evaluate(self.spec, self.state, traffic, self.now)
        return self.state

    def minute(
        self, new: tuple[int, int] = (0, 0), old: tuple[int, int] = (0, 0), **readings: Reading
    ) -> AnalysisState:
        """Let a minute pass with so many requests and errors."""
        return self.seconds(60, new, old, **readings)

    def seconds(
        self,
        seconds: int,
        new: tuple[int, int] = (0, 0),
        old: tuple[int, int] = (0, 0),
        **readings: Reading,
    ) -> AnalysisState:
        """Let some time pass with so many requests and errors."""
        self.new = (self.new[0] + new[0], self.new[1] + new[1])
        self.old = (self.old[0] + old[0], self.old[1] + old[1])
        self.now += timedelta(seconds=seconds)
        return self.look(**readings)


def test_a_good_revision_is_successful_after_enough_good_measurements() -> None:
    story = Story(analysis(count=2))
    assert story.minute((100, 1)).phase == "Running"
    assert story.minute((100, 0)).phase == "Successful"
    assert story.state.successful == 2
    assert story.state.measurements[0].value == "1"


def test_a_revision_with_five_percent_errors_fails_at_the_first_measurement() -> None:
    story = Story(analysis())
    state = story.minute((400, 20))
    assert state.phase == "Failed"
    assert state.message == (
        "success: the share of good answers is 0.95, and result >= 0.99 does not hold "
        "(400 requests in 60 s)."
    )


def test_bad_measurements_within_the_limit_are_borne() -> None:
    story = Story(analysis(failureLimit=1, count=1))
    assert story.minute((100, 50)).phase == "Running"
    assert story.minute((100, 0)).phase == "Successful"


def test_each_measurement_counts_its_own_requests_only() -> None:
    story = Story(analysis(failureLimit=1, count=5))
    story.minute((100, 50))
    assert story.minute((300, 0)).measurements[0].value == "1"
    assert story.state.requests == 300


def test_no_traffic_is_inconclusive_and_never_anything_else() -> None:
    story = Story(analysis(inconclusiveLimit=1))
    assert story.minute().phase == "Running"
    for _ in range(5):
        state = story.minute(old=(1000, 0))
        assert state.phase == "Inconclusive"
        assert needs_traffic(state)
    assert "0 of the 50 requests" in story.state.message
    assert (story.state.successful, story.state.failed) == (0, 0)


def test_requests_that_come_slowly_are_gathered_until_there_are_enough() -> None:
    story = Story(analysis(minSamples=50))
    assert story.minute((20, 0)).phase == "Inconclusive"
    assert story.minute((20, 0)).phase == "Inconclusive"
    state = story.minute((20, 0))
    assert (state.phase, state.requests, state.inconclusive) == ("Successful", 60, 0)


def test_requests_that_came_since_are_told_until_they_are_enough() -> None:
    story = Story(analysis(SUCCESS, SLOW, minSamples=50))
    measured = story.minute((0, 0), (400, 0))
    assert "0 of the 50 requests" in measured.message
    assert story.seconds(5) == measured
    state = story.seconds(5, (48, 0))
    assert state.message == (
        "success: the new revision has answered 48 of the 50 requests that it takes to judge; "
        "slow: the new revision has answered 48 of the 50 requests that it takes to judge "
        "(48 requests in 70 s)."
    )
    assert [one.message in state.message for one in state.measurements] == [True, True]
    state = story.seconds(5, (45, 0))
    assert state.message == (
        "success: the next measurement has enough to judge by; "
        "slow: the next measurement has enough to judge by (93 requests in 75 s)."
    )
    assert story.seconds(5, (45, 0)) == state
    for each in ("phase", "inconclusive", "window_start", "last_measurement_time"):
        assert getattr(state, each) == getattr(measured, each)
    assert (state.requests, state.stable_requests) == (93, 400)
    assert story.seconds(40).phase == "Successful"


def test_what_was_measured_is_told_as_it_was_while_another_metric_waits() -> None:
    story = Story(analysis(SUCCESS, SLOW))
    story.minute((100, 0), (3, 0))
    state = story.seconds(5, (50, 5), (40, 0))
    assert [one.verdict for one in state.measurements] == ["Successful", "Inconclusive"]
    assert "the stable revision has answered 43 of 50 requests" in state.message


def test_many_requests_are_told_in_hundredths_for_each_telling_writes_the_status() -> None:
    story = Story(analysis(minSamples=10_000, interval="3600s"))
    story.seconds(3600)
    told = {story.seconds(1, (20, 0)).message for _ in range(600)}
    assert len(told) == 101


def test_nothing_that_may_still_turn_is_measured_before_the_interval_has_passed() -> None:
    story = Story(analysis())
    assert story.seconds(59, (100, 2)).phase == "Running"
    assert story.state.last_measurement_time is None
    assert story.seconds(1).phase == "Failed"


def test_a_revision_whose_every_answer_is_an_error_is_stopped_before_the_interval_has_passed() -> (
    None
):
    story = Story(analysis())
    assert story.seconds(5, (60, 60)).phase == "Running"
    state = story.seconds(5, (60, 60))
    assert (state.phase, state.failed, state.requests) == ("Failed", 1, 120)
    assert state.message == (
        "success: the share of good answers is 0, and result >= 0.99 does not hold "
        "(120 requests in 10 s; the rest of the interval could not make it good)."
    )


MENDABLE: dict[str, tuple[dict[str, Any], tuple[int, int], tuple[int, int]]] = {
    "errors that are wanted": ({"successCondition": "result <= 0.99"}, (120, 0), (900, 0)),
    "an error that is wanted": ({"successCondition": "result < 1"}, (120, 0), (900, 0)),
    "no error": ({"successCondition": "result >= 1"}, (120, 0), (900, 0)),
    "little that is wanted": ({"successCondition": "result >= 0.4"}, (120, 120), (900, 0)),
    "few errors": ({"maxRatioToStable": 1.5}, (120, 12), (9000, 0)),
    "a bad hour": ({"maxRatioToStable": 1.5}, (120, 120), (900, 90)),
    "nothing to compare with": ({"maxRatioToStable": 1.5}, (120, 120), (49, 0)),
    "little to compare with": ({"maxRatioToStable": 1.5}, (120, 120), (60, 0)),
    "too few requests": ({}, (49, 49), (900, 0)),
}


@pytest.mark.parametrize("case", MENDABLE)
def test_what_the_rest_of_an_interval_could_mend_is_waited_for(case: str) -> None:
    more, new, old = MENDABLE[case]
    story = Story(analysis({**SUCCESS, **more}))
    assert story.seconds(20, new, old).phase == "Running"


def test_a_revision_that_can_only_be_far_worse_than_stable_is_stopped_before_its_time() -> None:
    for metric in (
        {**SUCCESS, "maxRatioToStable": 1.5},
        {"name": "success", "successRate": {}, "maxRatioToStable": 1.5},
    ):
        state = Story(analysis(metric)).seconds(20, (70, 70), (660, 0))
        assert (state.phase, state.stable_requests) == ("Failed", 660)


def test_a_bad_measurement_that_is_borne_goes_on_to_the_end_of_its_interval() -> None:
    story = Story(analysis(failureLimit=1))
    assert story.seconds(30, (100, 100)).failed == 0
    assert story.seconds(30, (100, 100)).failed == 1
    assert story.seconds(30, (100, 100)).phase == "Failed"


def test_a_revision_twice_as_slow_as_stable_fails() -> None:
    story = Story(analysis(SLOW))
    story.times = (200.0, 100.0)
    state = story.minute((100, 0), (100, 0))
    assert state.phase == "Failed"
    assert "190 ms, that of the stable revision 95 ms: more than 1.5 times as bad" in state.message


def test_a_revision_that_is_as_slow_as_stable_is_good() -> None:
    story = Story(analysis(SLOW))
    story.times = (140.0, 100.0)
    assert story.minute((100, 0), (100, 0)).phase == "Successful"


def test_a_comparison_with_a_stable_revision_without_traffic_is_inconclusive() -> None:
    story = Story(analysis(SLOW))
    state = story.minute((100, 0), (3, 0))
    assert state.phase == "Inconclusive"
    assert "the stable revision has answered 3 of 50 requests" in state.message


def test_a_bad_hour_for_both_blames_neither() -> None:
    both = {**SUCCESS, "maxRatioToStable": "1.5"}
    story = Story(analysis(both, count=3))
    assert story.minute((100, 20), (1000, 180)).phase == "Running"
    assert story.state.successful == 1
    assert story.minute((100, 20), (1000, 10)).phase == "Failed"


def test_errors_where_stable_has_none_are_judged_by_the_condition() -> None:
    both = {**SUCCESS, "maxRatioToStable": "1.5"}
    assert Story(analysis(both)).minute((1000, 5), (1000, 0)).phase == "Successful"
    assert Story(analysis(both)).minute((1000, 50), (1000, 0)).phase == "Failed"


def test_one_bad_metric_of_several_is_enough() -> None:
    story = Story(analysis(SUCCESS, SLOW))
    assert story.minute((100, 50), (1, 0)).phase == "Failed"
    assert [one.verdict for one in story.state.measurements] == ["Failed", "Inconclusive"]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"gauges": {"Score": 0.25}}, "0.25"),
        ({"totals": {"Score_total": 30.0}}, "0.3"),
        ({"totals": {"Score": 30.0}}, "0.3"),
        ({"totals": {"Score_sum": 30.0, "Score_count": 60.0}}, "0.5"),
    ],
)
def test_the_models_own_measures_count(own: dict[str, Any], expected: str) -> None:
    metric = {"name": "score", "model": {"name": "Score"}, "successCondition": "result < 1"}
    story = Story(analysis(metric))
    story.own = own
    assert story.minute((100, 0)).phase == "Successful"
    assert story.state.measurements[0].value == expected


def test_a_measure_that_no_pod_has_is_inconclusive() -> None:
    metric = {"name": "score", "model": {"name": "Score"}, "successCondition": "result < 1"}
    state = Story(analysis(metric)).minute((100, 0))
    assert state.phase == "Inconclusive"
    assert "no pod of the new revision tells the model's Score" in state.message


def test_a_prometheus_query_is_judged_without_regard_to_requests() -> None:
    query = {"query": "x{revision='{{revision}}'}"}
    metric = {"name": "mine", "prometheus": query, "maxRatioToStable": 2}
    spec = analysis(metric)
    assert Story(spec).minute(mine=Reading(3.0, 2.0)).phase == "Successful"
    assert Story(spec).minute(mine=Reading(5.0, 2.0)).phase == "Failed"
    state = Story(spec).minute(mine=Reading(error="Prometheus does not answer"))
    assert (state.phase, state.message[:31]) == ("Inconclusive", "mine: Prometheus does not answe")


def test_an_answer_of_prometheus_is_waited_for_and_must_be_new() -> None:
    metric = {"name": "mine", "prometheus": {"query": "x"}, "successCondition": "result < 2"}
    story = Story(analysis(metric))
    waiting = story.state
    assert story.minute() == waiting
    assert story.minute(mine=Reading(1.0, age=61.0)) == waiting
    assert story.minute(mine=Reading(1.0, age=15.0)).phase == "Successful"


def test_a_long_error_of_prometheus_is_told_in_part() -> None:
    metric = {"name": "mine", "prometheus": {"query": "x"}, "successCondition": "result < 2"}
    state = Story(analysis(metric)).minute(mine=Reading(error="rpc error: Unavailable; " * 60))
    assert state.phase == "Inconclusive"
    assert state.measurements[0].message.startswith("mine: rpc error: Unavailable; rpc")
    assert len(state.measurements[0].message) == 1024


def test_after_a_restart_the_window_begins_with_the_first_sample_that_is_known() -> None:
    story = Story(analysis())
    story.minute((10, 10))
    story.samples.clear()
    story.now += timedelta(seconds=30)
    story.look()
    assert story.state.failed == 0
    assert story.minute((100, 0)).phase == "Successful"


def test_without_traffic_readings_the_analysis_waits() -> None:
    spec = analysis()
    state = evaluate(spec, AnalysisState(), None, BEGIN)
    assert state.window_start == moment_text(BEGIN)
    assert evaluate(spec, state, None, BEGIN + timedelta(hours=1)) == state
    assert evaluate(spec, state, Traffic("new", "old"), BEGIN + timedelta(hours=1)) == state


def test_a_verdict_is_final() -> None:
    story = Story(analysis())
    failed = story.minute((100, 100))
    assert story.minute((100000, 0)) == failed
    assert due_in(story.spec, failed, story.now) is None


def test_the_next_measurement_is_due_an_interval_after_the_last() -> None:
    story = Story(analysis(count=5))
    assert due_in(story.spec, story.state, story.now) == 60
    story.minute((100, 0))
    assert due_in(story.spec, story.state, story.now + timedelta(seconds=45)) == 15
    assert due_in(story.spec, story.state, story.now + timedelta(seconds=75)) == 0


@pytest.mark.parametrize(
    ("condition", "good", "bad"),
    [
        ("result >= 0.99", 0.99, 0.98),
        ("result<5", 4.9, 5),
        ("result > -1 && result <= 1", 1, -1),
        ("result == 3", 3, 3.1),
        ("result != 0", 1, 0),
    ],
)
def test_a_success_condition_compares(condition: str, good: float, bad: float) -> None:
    assert holds(condition, good)
    assert not holds(condition, bad)
