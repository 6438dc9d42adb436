"""A dead watch is told from a quiet one."""

from slipway.telemetry.health import WatchHealth


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def watches() -> tuple[WatchHealth, Clock]:
    clock = Clock()
    return WatchHealth(["/jobs", "/pods"], 300.0, clock), clock


def test_a_replica_is_ready_once_all_kinds_are_listed() -> None:
    health, _ = watches()
    health.answer("/jobs", listing=True)
    assert health.stale() == ["/pods is not listed yet."]
    health.answer("/pods", listing=True)
    assert health.stale() == []


def test_a_watch_is_behind_until_it_is_listed_and_while_its_requests_fail() -> None:
    health, _ = watches()
    assert health.behind() == ["/jobs", "/pods"]
    for path in ("/jobs", "/pods"):
        health.attempt(path)
        health.answer(path, listing=True)
    assert health.behind() == []
    health.attempt("/pods")
    assert health.behind() == ["/pods"]
    health.answer("/pods", listing=False)
    assert health.behind() == []


def test_a_quiet_watch_that_is_renewed_is_alive_and_ready() -> None:
    health, clock = watches()
    for path in ("/jobs", "/pods"):
        health.answer(path, listing=True)
    for clock.now in (120.0, 240.0, 360.0, 480.0):
        for path in ("/jobs", "/pods"):
            health.attempt(path)
            health.answer(path, listing=False)
    assert health.dead() == []
    assert health.stale() == []


def test_a_watch_without_any_sign_of_life_is_dead() -> None:
    health, clock = watches()
    clock.now = 301.0
    health.attempt("/pods")
    (sentence,) = health.dead()
    assert "/jobs" in sentence


def test_an_api_server_that_is_away_makes_the_replica_unready_but_not_dead() -> None:
    health, clock = watches()
    for path in ("/jobs", "/pods"):
        health.answer(path, listing=True)
    for clock.now in (100.0, 200.0, 301.0):
        for path in ("/jobs", "/pods"):
            health.attempt(path)
    assert health.dead() == []
    assert len(health.stale()) == 2


def test_requests_for_other_paths_mean_nothing() -> None:
    health, _ = watches()
    health.attempt("/apis")
    health.answer("/apis", listing=True)
    assert health.ages().keys() == {"/jobs", "/pods"}


def test_a_watch_that_never_had_an_answer_grows_old_from_the_start_on() -> None:
    health, clock = watches()
    health.answer("/jobs", listing=True)
    for clock.now in (100.0, 200.0, 301.0):
        health.attempt("/pods")
    assert health.ages() == {"/jobs": 301.0, "/pods": 301.0}
    assert [sentence for sentence in health.stale() if "/pods" in sentence] == [
        "/pods is not listed yet."
    ]
