"""How requests are shared out between two revisions, and what their answers lead to."""

import math
import time
from functools import partial
from itertools import chain

import httpx
import pytest

from tests.cluster import toy
from tests.cluster.attack import Answers, attack_until, attacking
from tests.cluster.rollouts import (
    at_pause,
    candidate,
    failed,
    files_read,
    go_on,
    rollout,
    wait_until_all_answer,
    wait_until_read,
)
from tests.cluster.support import SERVE, Space
from tests.harness import Object
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.cluster

WEIGHTS = (1, 10, 50, 99)
SOME, MANY = 2_000, 10_000
"""How many requests tell a share: within chance, and within a percentage point."""
STEP_SECONDS = 60.0
"""Longest time from a request to go on until users see the new share; alone it takes under 2."""
LOAD = 6
"""Requests a second; half of them go to the candidate, whose one worker can answer them slowly."""
STABLE = {"ANSWER": "blue", "DELAY": "0.08"}
"""A busy machine may add 0.4 s to each answer, and a candidate of 0.32 s is still told from it."""
ANALYSIS: Object = {
    "interval": "10s",
    "minSamples": 25,
    "metrics": [
        {"name": "success", "successRate": {}, "successCondition": "result >= 0.99"},
        {"name": "latency", "latency": {"quantile": "0.5"}, "maxRatioToStable": "1.5"},
        {"name": "score", "model": {"name": "Score"}, "successCondition": "result < 2"},
    ],
}
JUDGED = {
    "strategy": "Canary",
    "canary": {"steps": [{"setWeight": 50}, {"analysis": ANALYSIS}]},
    "scaleDownDelaySeconds": 0,
}
PATIENT = {
    **JUDGED,
    "canary": {"steps": [{"setWeight": 50}, {"analysis": {**ANALYSIS, "failureLimit": 3}}]},
}
"""Judges alike, but lets a busy machine spoil three measurements of a revision that is good."""
STOPS: tuple[list[Object], ...] = tuple([{"setWeight": w}, {"pause": {}}] for w in WEIGHTS)
STEPPED = {"strategy": "Canary", "canary": {"steps": list(chain.from_iterable(STOPS))}}


@pytest.fixture(scope="module")
def space(shared: Space, model: Object) -> Space:
    """Two deployments with a stable revision each, begun together."""
    toy.apply(shared, split(SOME), model, STEPPED, ANSWER="blue")
    toy.apply(shared, "judged", model, JUDGED, **STABLE)
    return shared


def split(requests: int) -> str:
    """Return the name of the deployment that so many requests are asked of at each share."""
    return f"split-{requests}"


def share(answers: Answers) -> float:
    """Return the candidate's share in percent."""
    return 100 * answers.bodies["green"] / answers.total


def tolerance(requests: int, weight: int) -> float:
    """Return by how many percentage points a share may be wrong.

    Of many requests it is one point, of some four standard deviations of chance: 4.5 points at
    50 %, 0.9 at 1 %.
    """
    if requests == MANY:
        return 1.0
    return 4 * math.sqrt(weight * (100 - weight) / requests)


def off_by(space: Space, requests: int, weight: int) -> float:
    """Return by how many percentage points a share is wrong over so many requests.

    At 50 % chance alone is off by more than one point in 10,000 requests now and then (its standard
    deviation is half a point): such a result is looked at again with as many requests more.
    """
    answers = attack_until(toy.target(space, split(requests)), requests)
    if abs(share(answers) - weight) >= tolerance(requests, weight):
        answers.add(attack_until(toy.target(space, split(requests)), 2 * requests))
    print(f"{weight} %: {share(answers):.3f} % of {answers.total} at {answers.throughput:.0f}/s")
    assert answers.lost == {}, space.report()
    return share(answers) - weight


def uids(space: Space, name: str) -> set[str]:
    """Return the UIDs of the pods of the stable revision."""
    stable = rollout(space.deployment(name))["stableRevision"]
    pods = space.pods(f"slipway.dev/model-deployment={name},slipway.dev/revision={stable}")
    return {pod["metadata"]["uid"] for pod in pods}


def seconds_until_shared(space: Space, name: str) -> float:
    """Pass the step at 10 %; returns the seconds until users see the next one, 50 %.

    7 of 20 requests in a row are enough to tell: at 10 % one in 400 such rows has so many.
    """
    url, begin, last = toy.target(space, name).url, time.monotonic(), ["blue"] * 20
    go_on(space, name)
    with httpx.Client(timeout=60) as client:
        while last.count("green") < 7:
            assert time.monotonic() - begin < SERVE, space.report()
            last = [*last[1:], client.post(url, json=[1]).text]
    return time.monotonic() - begin


@pytest.mark.parametrize("requests", [SOME, pytest.param(MANY, marks=pytest.mark.long)])
def test_each_share_is_exact_and_a_step_reaches_the_users(
    requests: int, space: Space, model: Object
) -> None:
    name = split(requests)
    toy.apply(space, name, model, STEPPED, ANSWER="blue")
    space.wait_until_ready(name)
    stable = uids(space, name)
    known = files_read(space, name)
    toy.apply(space, name, model, STEPPED, ANSWER="green")
    for weight in WEIGHTS:
        space.wait("mdep", name, partial(at_pause, weight=weight), SERVE)
        known = wait_until_read(space, name, known)
        assert abs(off_by(space, requests, weight)) < tolerance(requests, weight)
        assert stable <= uids(space, name)
        if weight == 10:
            took = seconds_until_shared(space, name)
            print(f"a step took {took:.1f} s")
            assert took < STEP_SECONDS
        else:
            go_on(space, name)
    space.wait_until_ready(name)
    wait_until_all_answer(space, name, "green")
    space.kubectl.delete("modeldeployment", name, wait=False)


def wait_until_event_tells(space: Space, figure: str) -> None:
    """Return once an event says which figure failed; events come after the status."""

    def told() -> bool:
        return figure in space.kubectl.run(
            "get", "events", "--field-selector=reason=AnalysisFailed"
        )

    wait_for(told, 180, f"an event AnalysisFailed names {figure}", space.report)


SLOW = "is four times as slow"
BAD: dict[str, tuple[Object, str]] = {
    "answers 5 % errors": ({"ERROR_EVERY": "20"}, "success: the share of good answers is 0.9"),
    SLOW: ({"DELAY": "0.32"}, "latency: the 0.5 quantile of the answers' times"),
    "answers wrongly": ({"SCORE": "5"}, "score: the model's Score is "),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.long) if case == SLOW else case for case in BAD]
)
def test_a_candidate_is_stopped_at_the_first_analysis_that(
    case: str, space: Space, model: Object
) -> None:
    variables, told = BAD[case]
    space.wait_until_ready("judged") if not failed(space.deployment("judged")) else None
    stable = uids(space, "judged")
    before = rollout(space.deployment("judged"))["stableRevision"]
    known = failed(space.deployment("judged")).get("revision")
    with attacking(toy.target(space, "judged"), LOAD):
        toy.apply(space, "judged", model, JUDGED, **{**STABLE, "ANSWER": "bad", **variables})

        def stopped(found: Object) -> bool:
            return failed(found).get("revision") not in (None, known)

        found = space.wait("mdep", "judged", stopped, SERVE)
    assert failed(found)["reason"] == "AnalysisFailed", space.report()
    assert told in failed(found)["message"]
    assert rollout(found)["stableRevision"] == before
    assert stable <= uids(space, "judged")
    wait_until_event_tells(space, told.partition(":")[0])

    def only_blue() -> bool:
        return attack_until(toy.target(space, "judged"), 50, at_once=1).bodies.keys() == {"blue"}

    wait_for(only_blue, 180, "only the stable revision answers", space.report)


def test_an_idle_candidate_stays_inconclusive_and_a_good_one_is_promoted(
    space: Space, model: Object
) -> None:
    toy.apply(space, "judged", model, PATIENT, **{**STABLE, "ANSWER": "green"})

    def is_open(found: Object) -> bool:
        return (candidate(found).get("analysis") or {}).get("phase") == "Inconclusive"

    found = space.wait("mdep", "judged", is_open, SERVE)
    analysis = candidate(found)["analysis"]
    assert (analysis.get("successful", 0), analysis.get("failed", 0)) == (0, 0)
    assert "0 of the 25 requests" in analysis["message"]
    with attacking(toy.target(space, "judged"), LOAD) as answers:
        revision = candidate(found)["revision"]

        def promoted(now: Object) -> bool:
            return not candidate(now) and rollout(now).get("stableRevision") == revision

        space.wait("mdep", "judged", promoted, SERVE)
    assert answers.lost == {}
    wait_until_all_answer(space, "judged", "green")


def test_a_model_that_fails_its_smoke_test_takes_no_users_request(
    space: Space, model: Object
) -> None:
    smoke = {"request": [1], "expected": "green"}
    wanted = {**JUDGED, "smoke": smoke}
    with attacking(toy.target(space, "judged"), LOAD) as answers:
        toy.apply(space, "judged", model, wanted, **{**STABLE, "ANSWER": "wrong"})

        def stopped(found: Object) -> bool:
            return failed(found).get("reason") == "SmokeTestFailed"

        found = space.wait("mdep", "judged", stopped, SERVE)
    assert 'it is "wrong" instead of "green"' in failed(found)["message"]
    assert answers.bodies.keys() == {"green"}
    assert answers.lost == {}
