"""Why a worker died: what a pod's page may say, and what the deployment says then."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.serving import reasons
from slipway.serving.observed.deaths import MOST_BYTES, Death, news, parse
from slipway.serving.observed.pods import TAIL_CHARACTERS
from tests.unit.serving.world import World, main_status

CAUSES = {
    "OOMKilled": "used more memory than its limit",
    "Timeout": "gave no answer within the response timeout",
    "SIGSEGV": "it was ended by SIGSEGV",
    "exit 3": "it ended itself with exit code 3",
    "exit": "its Python ended by itself",
}


def page(**fields: Any) -> str:
    return json.dumps({"deaths": 1, "cause": "SIGKILL", "log": "", "time": 1.0, **fields})


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_has_words(cause: str) -> None:
    death = parse(page(cause=cause, log="a\nKeyError: 'label'"))
    assert death is not None
    assert CAUSES[cause] in death.told
    assert death.told.endswith("the log ended with:\na\nKeyError: 'label'")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 20_000,
        page(deaths=0),
        page(deaths="1"),
        page(deaths=True),
        page(deaths=1e300),
        page(cause="kubectl delete everything"),
        page(cause="SIGKILL\n"),
        page(cause=["SIGKILL"]),
    ],
)
def test_a_page_that_tells_no_death_is_none(text: str) -> None:
    assert parse(text) is None


@given(st.text(max_size=MOST_BYTES) | st.lists(st.text(max_size=90)).map("\n".join))
def test_what_a_page_says_is_bounded_and_printable(log: str) -> None:
    death = parse(page(log=log))
    assert isinstance(death, Death)
    assert len(death.log) <= TAIL_CHARACTERS
    assert all(line.isprintable() for line in death.log.split("\n"))


@pytest.mark.parametrize("number", [-1, "2", True, None, 1e7, float("nan"), 10**400])
def test_a_duration_that_is_none_is_not_told(number: Any) -> None:
    death = parse(page(seconds=number, time=number))
    assert death is not None
    assert death.missing is None
    assert death.under_way == (number is None)
    assert isinstance(news("web-1", death, 0, 1e9), str)


@given(st.integers(1, 9), st.none() | st.integers(0, 9), st.floats(0, 2e3))
def test_each_death_of_a_known_server_is_told(count: int, known: int | None, age: float) -> None:
    death = Death("it was ended by SIGSEGV", count=count, time=1e6 - age, missing=1.0)
    text = news("web-1", death, known, 1e6)
    if known is None:
        assert (text is not None) == (age < 600)
    else:
        assert (text is not None) == (count != known)


def test_what_opens_a_uri_is_not_shown() -> None:
    death = parse(page(log="GET https://me:secret@host/x?token=abc failed"))
    assert death is not None
    assert "secret" not in death.log
    assert "abc" not in death.log


def out(**status: Any) -> World:
    """Return a deployment whose only pod served, and does not any more."""
    world = World()
    world.roll_out()
    ready = {"type": "Ready", "status": "False"}
    server = main_status("torchserve", started=True, state={"running": {}})
    world.add_pod(**{"phase": "Running", "conditions": [ready], **server, **status})
    world.pods_are(updated=1, available=0)
    world.deaths = {"pod-web-1": Death("it was ended by SIGSEGV", "in layer 3")}
    world.reconcile()
    return world


def test_a_deployment_that_no_pod_serves_says_why_its_worker_died() -> None:
    world = out()
    for type_ in (reasons.READY, reasons.PROGRESSING):
        condition = world.condition(type_)
        assert condition.reason == reasons.WORKER_DIED
        assert "it was ended by SIGSEGV; the log ended with:\nin layer 3" in condition.message
    assert world.condition(reasons.READY).status == "False"
    assert world.condition(reasons.MODEL_READY).status == "True"
    assert world.told().count(("Warning", reasons.WORKER_DIED)) == 1


KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": "batch 7"}}
KILLED_SERVER = {"started": False, "state": {"running": {}}, "lastState": KILLED}


@pytest.mark.parametrize(
    ("server", "reason"),
    [({"started": True}, reasons.WORKER_DIED), (KILLED_SERVER, reasons.OUT_OF_MEMORY)],
)
def test_it_says_for_how_long_nobody_was_answered(server: dict[str, Any], reason: str) -> None:
    world = out(**main_status("torchserve", **{"state": {"running": {}}, **server}))
    assert world.condition(reasons.READY).reason == reason
    world.now += timedelta(seconds=20)
    ready = {"type": "Ready", "status": "True"}
    world.add_pod(phase="Running", conditions=[ready], **main_status("torchserve", started=True))
    world.pods_are(updated=1, available=1)
    world.reconcile()
    assert world.condition(reasons.READY).status == "True"
    (back,) = [event for event in world.events if event.reason == reasons.WORKER_BACK]
    assert (back.type, back.message) == ("Normal", "Predictions are answered again, after 21 s.")
    world.reconcile()
    assert world.told().count(("Normal", reasons.WORKER_BACK)) == 1


def test_a_worker_that_dies_of_something_else_meanwhile_is_told_too() -> None:
    world = out()
    world.deaths = {"pod-web-1": Death("the kernel killed it", "batch 7")}
    world.reconcile()
    world.reconcile()
    told = [one.message for one in world.events if one.reason == reasons.WORKER_DIED]
    assert ["SIGSEGV" in text for text in told] == [True, False]
    assert "the kernel killed it" in told[1]


def test_the_word_of_the_container_itself_comes_first() -> None:
    end = {"exitCode": 137, "reason": "OOMKilled"}
    status = main_status("torchserve", started=True, lastState={"terminated": end})
    assert out(**status).condition(reasons.READY).reason == reasons.OUT_OF_MEMORY


def test_a_pod_that_never_served_is_not_blamed_on_a_worker() -> None:
    status = main_status("torchserve", started=False)
    assert out(**status).condition(reasons.READY).reason == reasons.ROLLING_OUT


def test_a_pod_that_comes_up_for_the_first_time_answers_nobody_again() -> None:
    world = World()
    world.reconcile()
    world.add_pod(phase="Running", **main_status("torchserve", **KILLED_SERVER))
    world.reconcile()
    assert world.condition(reasons.READY).reason == reasons.OUT_OF_MEMORY
    ready = {"type": "Ready", "status": "True"}
    world.add_pod(phase="Running", conditions=[ready], **main_status("torchserve", started=True))
    world.roll_out()
    assert world.condition(reasons.READY).status == "True"
    assert reasons.WORKER_BACK not in {event.reason for event in world.events}
