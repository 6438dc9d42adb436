"""Who is answered by which of two revisions: mirrored, matched and sticky requests.

And whom nobody has to ask: a canary that begins because a training ended.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import httpx
import pytest

from tests.cluster import toy
from tests.cluster.attack import attack_until, attacking
from tests.cluster.rollouts import (
    at_pause,
    candidate,
    counted,
    failed,
    go_on,
    rollout,
    stable,
    wait_until_all_answer,
)
from tests.cluster.support import (
    ANSWER_A_WORD,
    SERVE,
    TRAIN,
    TRAIN_A_WORD,
    Space,
    address,
    model_deployment,
    source,
)
from tests.cluster.support import training_job as job
from tests.harness import Object
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.cluster

NAME, FOLLOWS = "asked", "follows"
MIRRORED = 30
"""Share of the requests that is copied to the shadow, in percent."""
USERS = 300
FEWER, MORE = 30, 70
"""Two shares of the users, in percent; by chance one is off by 15 points in 10 million runs."""
STEPS = [{"setWeight": FEWER}, {"pause": {}}, {"setWeight": MORE}, {"pause": {}}]
AB_TEST = {
    "match": [
        {"headers": [{"name": "x-group", "exact": "beta"}]},
        {"cookies": [{"name": "group", "prefix": "be"}]},
    ]
}


def training(word: str) -> Object:
    """Return a job whose model answers a word."""
    found = job(
        word,
        "words",
        args=[word],
        framework="plain",
        package={"serializedFile": "model.pt", "handler": "handler.py"},
    )
    found["metadata"]["labels"] = {"model": "words"}
    return found


def follower() -> Object:
    """Return a deployment of the newest of those models."""
    selector = {"trainingJobSelector": {"matchLabels": {"model": "words"}}}
    steps = [{"setWeight": 50}, {"pause": {}}]
    rollout = {"strategy": "Canary", "canary": {"steps": steps}, "scaleDownDelaySeconds": 0}
    return model_deployment(FOLLOWS, selector, rollout=rollout)


@pytest.fixture(scope="module")
def space(shared: Space, model: Object) -> Space:
    """A deployment that answers blue, and one that waits for a training, begun together."""
    toy.apply(shared, NAME, model, ANSWER="blue")
    words = source("words", main=TRAIN_A_WORD, handler=ANSWER_A_WORD)
    shared.apply(words, training("old"), follower())
    return shared


def shadow(weight: int, **more: object) -> Object:
    wanted = {"weight": weight, **more}
    return {"strategy": "Shadow", "shadow": wanted, "scaleDownDelaySeconds": 0}


def asked(space: Space) -> float:
    """Return how many requests the candidate's TorchServe was given."""
    revision = candidate(space.deployment(NAME))["revision"]
    pods = space.pods(f"slipway.dev/model-deployment={NAME},slipway.dev/revision={revision}")
    return sum(counted(pod, "^cluster.torchserve.upstream_rq_completed") for pod in pods)


def settled(space: Space, count: Callable[[Space], float]) -> float:
    """Return a count once it is the same twice in a row."""
    seen: list[float] = []

    def same() -> bool:
        seen.append(count(space))
        return seen[-2:-1] == seen[-1:]

    wait_for(same, 180, "the last copies were answered", space.report, 1.0)
    return seen[-1]


def test_a_shadow_gets_its_share_in_copies_and_users_see_stables_answers_alone(
    space: Space, model: Object
) -> None:
    space.wait_until_ready(NAME)
    wanted = partial(toy.apply, space, NAME, model, ANSWER="green", ERROR_EVERY="2")
    wanted(shadow(MIRRORED))
    space.wait("mdep", NAME, partial(at_pause, weight=MIRRORED), SERVE)
    assert candidate(space.deployment(NAME))["mirror"] is True
    assert rollout(space.deployment(NAME))["stableWeight"] == 100
    url = toy.target(space, NAME).url
    with httpx.Client(timeout=60) as client:
        wait_for(
            lambda: client.post(url, json=[1]).text == "blue" and asked(space) > 0,
            180,
            "a request was copied",
            space.report,
        )
    before = settled(space, asked)
    answers = attack_until(toy.target(space, NAME), 2000)
    copies = settled(space, asked) - before
    print(f"{copies:.0f} copies of {answers.total} requests")
    assert answers.lost == {}, space.report()
    assert answers.bodies.keys() == {"blue"}
    assert abs(100 * copies / answers.total - MIRRORED) < 6

    success = {"name": "success", "successRate": {}, "successCondition": "result >= 0.99"}
    analysis = {"interval": "5s", "minSamples": 20, "metrics": [success]}
    with attacking(toy.target(space, NAME), 20) as more:
        wanted(shadow(MIRRORED, analysis=analysis))
        judged = space.wait("mdep", NAME, failed, SERVE)
    assert failed(judged)["reason"] == "AnalysisFailed"
    assert f"at a mirrored {MIRRORED} % of the requests" in failed(judged)["message"]
    assert more.lost == {}, space.report()
    assert more.bodies.keys() == {"blue"}


def test_a_group_of_users_gets_the_new_revision_and_all_others_the_stable_one(
    space: Space, model: Object
) -> None:
    toy.apply(space, NAME, model, {"strategy": "ABTest", "abTest": AB_TEST}, ANSWER="green")
    space.wait("mdep", NAME, lambda it: candidate(it).get("matching"), SERVE)
    url = toy.target(space, NAME).url
    with httpx.Client(timeout=60) as client:

        def answers(**headers: str) -> set[str]:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            found = (client.post(url, json=[1], headers=named) for _ in range(20))
            return {answer.raise_for_status().text for answer in found}

        wait_for(
            lambda: answers(x_group="beta") == {"green"}, 180, "the group is known", space.report
        )
        assert answers(cookie="a=1; group=best; z=2") == {"green"}
        assert answers() == {"blue"}
        assert answers(x_group="betatester") == {"blue"}
        assert answers(cookie="group=alpha; subgroup=beta") == {"blue"}
    assert rollout(space.deployment(NAME))["stableWeight"] == 100


@dataclass
class User:
    """Somebody who tells a name, and sends the cookie that came with an answer."""

    name: str
    cookie: str = ""

    def answer(self, client: httpx.Client) -> str:
        client.cookies.clear()
        headers = {"x-user": self.name, **({"cookie": self.cookie} if self.cookie else {})}
        found = client.post("/predict", json=[1], headers=headers).raise_for_status()
        if "track" in found.cookies:
            self.cookie = f"track={found.cookies['track']}"
        return found.text


def converts(space: Space, users: Iterable[User]) -> set[str]:
    """Return the names of those who are answered by the new revision."""
    with httpx.Client(base_url=address(space, NAME), timeout=60) as client:
        return {user.name for user in users if user.answer(client) == "green"}


@pytest.mark.parametrize(
    "sticky", [{"cookie": {"name": "track"}}, {"header": "x-user"}], ids=["cookie", "header"]
)
def test_a_user_who_got_the_new_revision_keeps_it_while_its_share_grows(
    sticky: Object, space: Space, model: Object
) -> None:
    users = [User(f"user {number}") for number in range(USERS)]
    wanted = {"strategy": "Canary", "canary": {"steps": STEPS, "sticky": sticky}}
    # The steps begin anew with the same revision, which was asked to pass one of them before.
    space.kubectl.run("annotate", "mdep", NAME, "slipway.dev/rollout-promote-")
    toy.apply(space, NAME, model, wanted, ANSWER="green")
    found: list[set[str]] = []
    for share in (FEWER, MORE):
        space.wait("mdep", NAME, partial(at_pause, weight=share), SERVE)
        wait_for(partial(_is_shared, space, users, share), 180, "Envoy knows", space.report)
        found.append(converts(space, users))
        assert converts(space, users) == found[-1]
        if share == FEWER:
            go_on(space, NAME)
    assert found[0] < found[1]
    assert {bool(user.cookie) for user in users} == {"cookie" in sticky}


def _is_shared(space: Space, users: list[User], share: int) -> bool:
    return abs(100 * len(converts(space, users)) / len(users) - share) < 15


def test_a_model_that_was_trained_meanwhile_becomes_a_canary_by_itself(space: Space) -> None:
    served = space.wait_until_ready(FOLLOWS)
    assert served["status"]["model"]["trainingJob"] == "old"
    before = served["metadata"]["generation"], stable(served)
    space.apply(training("new"))
    tried = space.wait("mdep", FOLLOWS, partial(at_pause, weight=50), TRAIN + SERVE)
    assert (tried["metadata"]["generation"], stable(tried)) == before
    assert tried["status"]["resolvedModel"]["trainingJob"] == "new"
    both = {"old", "new"}
    wait_for(
        lambda: attack_until(toy.target(space, FOLLOWS), 50).bodies.keys() == both,
        180,
        "both answer",
        space.report,
    )
    go_on(space, FOLLOWS)
    done = space.wait("mdep", FOLLOWS, lambda it: stable(it) != before[1], SERVE)
    assert stable(done) == candidate(tried)["revision"]
    assert space.wait_until_ready(FOLLOWS)["metadata"]["generation"] == before[0]
    wait_until_all_answer(space, FOLLOWS, "new")
