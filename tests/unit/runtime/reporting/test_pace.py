import pytest

from slipway_runtime.reporting.pace import Pace, Pacer


def test_one_report_alone_tells_no_pace() -> None:
    assert Pacer().update(0.0, 10, 100, 32) == Pace()


def test_rates_and_the_time_left_follow_from_the_reports() -> None:
    pacer = Pacer()
    pacer.update(0.0, 10, 100, 320)
    pace = pacer.update(5.0, 20, 100, 320)
    assert pace == Pace(steps_per_second=2.0, samples_per_second=64.0, eta_seconds=40.0)


def test_only_the_last_minute_counts() -> None:
    pacer = Pacer()
    pacer.update(0.0, 0, None, None)
    pacer.update(1000.0, 10, None, None)
    pace = pacer.update(1010.0, 110, None, None)
    assert pace == Pace(steps_per_second=10.0)


def test_reports_that_come_seldom_still_have_a_pace() -> None:
    pacer = Pacer()
    for number in range(5):
        pace = pacer.update(300.0 * number, number, 10, None)
    assert pace.eta_seconds == pytest.approx(1800.0)


def test_a_training_that_stands_still_has_no_end_in_sight() -> None:
    pacer = Pacer()
    pacer.update(0.0, 5, 10, None)
    assert pacer.update(1.0, 5, 10, None) == Pace(steps_per_second=0.0)


def test_a_step_that_goes_back_begins_anew() -> None:
    pacer = Pacer()
    pacer.update(0.0, 50, 100, None)
    assert pacer.update(1.0, 10, 100, None) == Pace()
    assert pacer.update(2.0, 20, 100, None).steps_per_second == 10.0


def test_past_the_planned_end_no_time_is_left() -> None:
    pacer = Pacer()
    pacer.update(0.0, 10, 10, None)
    assert pacer.update(1.0, 12, 10, None).eta_seconds == 0
