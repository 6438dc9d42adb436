"""A steady load through everything that moves pods and traffic: no request may be lost."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.cluster import toy
from tests.cluster.attack import Answers, Target, attacking
from tests.cluster.support import SERVE, Space, address, is_ready
from tests.harness import Cluster, Object
from tests.harness.waiting import wait_for

ASKED_FOR = "SLIPWAY_SOAK_REQUESTS"
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.alone,
    pytest.mark.skipif(ASKED_FOR not in os.environ, reason="`make soak` asks for it"),
]

REQUESTS = int(os.environ.get(ASKED_FOR, "10000"))
RATE = 80
IN_FLIGHT = 8
"""Most requests that a pod can be working on when it is killed: an answer takes some milliseconds,
and on a busy machine a tenth of a second."""
NAME = "soak"
ROLLING = {"strategy": "RollingUpdate"}
CANARY = {
    "strategy": "Canary",
    "canary": {"steps": [{"setWeight": 20}, {"pause": {"duration": "5s"}}, {"setWeight": 60}]},
    "scaleDownDelaySeconds": 0,
}
WAITING = {
    "strategy": "Canary",
    "canary": {"steps": [{"setWeight": 20}, {"pause": {}}]},
    "scaleDownDelaySeconds": 0,
}


@dataclass(frozen=True)
class Served:
    """The deployment under load."""

    space: Space
    model: Object

    @property
    def target(self) -> Target:
        return Target(f"{address(self.space, NAME)}/predict", [1])

    def apply(self, rollout: Object, replicas: int = 1, **variables: str) -> None:
        found = toy.deployment(NAME, self.model, rollout, **variables)
        found["spec"]["replicas"] = replicas
        self.space.apply(found)

    def state(self) -> Object:
        return self.space.deployment(NAME)

    def pods(self) -> list[Object]:
        found = self.space.pods(f"slipway.dev/model-deployment={NAME}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def wait_until_settled(self, pods: int) -> None:
        """Wait until the deployment is ready, and has so many pods and none that goes."""

        def settled() -> bool:
            left = self.space.pods(f"slipway.dev/model-deployment={NAME}")
            return is_ready(self.state()) and len(left) == pods == len(self.pods())

        wait_for(settled, SERVE, f"{pods} pods serve and no others are there", self.space.report)


@pytest.fixture(scope="module")
def served(shared: Space, cluster: Cluster) -> Served:
    found = Served(shared, toy.put(cluster))
    found.apply(ROLLING, ANSWER="first")
    shared.wait_until_ready(NAME)
    return found


def stable(found: Object) -> str:
    return str((found.get("status", {}).get("rollout") or {}).get("stableRevision"))


def candidate(found: Object) -> Object:
    return (found.get("status", {}).get("rollout") or {}).get("candidate") or {}


def roll(served: Served) -> None:
    """A rolling update, whole."""
    served.apply(ROLLING, ANSWER="rolled")
    served.wait_until_settled(1)


def promote(served: Served) -> None:
    """A canary that takes over."""
    before = stable(served.state())
    served.apply(CANARY, ANSWER="promoted")
    served.space.wait("mdep", NAME, lambda it: stable(it) != before, SERVE)
    served.wait_until_settled(1)


def roll_back(served: Served) -> None:
    """A canary that goes back, with requests on it."""
    served.apply(WAITING, ANSWER="aborted")
    served.space.wait("mdep", NAME, lambda it: candidate(it).get("weight") == 20, SERVE)
    revision = candidate(served.state())["revision"]
    note = f"slipway.dev/rollout-abort={revision}"
    served.space.kubectl.run("annotate", "mdep", NAME, note)
    served.space.wait("mdep", NAME, lambda it: not candidate(it), SERVE)
    served.apply(WAITING, ANSWER="promoted")
    served.wait_until_settled(1)


def scale(served: Served) -> None:
    """From 1 pod to 3 and back."""
    served.apply(WAITING, 3, ANSWER="promoted")
    served.wait_until_settled(3)
    served.apply(WAITING, 1, ANSWER="promoted")
    served.wait_until_settled(1)


def drain(served: Served) -> None:
    """One of two pods is evicted from a node that is drained."""
    kubectl = served.space.kubectl
    served.apply(WAITING, 2, ANSWER="promoted")
    served.wait_until_settled(2)
    pod = served.pods()[0]
    kubectl.run("label", "pod", pod["metadata"]["name"], "soak=drain")
    node = pod["spec"]["nodeName"]
    flags = ("--ignore-daemonsets", "--delete-emptydir-data", "--pod-selector=soak=drain")
    kubectl.run("drain", node, *flags, "--timeout=180s", timeout=240)
    kubectl.run("uncordon", node)
    served.wait_until_settled(2)


def kill(served: Served) -> None:
    """One of two pods is killed without any grace."""
    name = served.pods()[0]["metadata"]["name"]
    served.space.kubectl.run("delete", "pod", name, "--grace-period=0", "--force")
    served.wait_until_settled(2)


MOVES: tuple[Callable[[Served], None], ...] = (roll, promote, roll_back, scale, drain)


def under_load(served: Served, move: Callable[[Served], None], count: float) -> Answers:
    """Return the account of a load that begins before a move, and ends after it and enough."""
    begin = time.monotonic()
    with attacking(served.target, RATE) as answers:
        move(served)
        wait_for(
            lambda: time.monotonic() - begin > count / RATE,
            count / RATE + 60,
            f"{count:.0f} requests were sent",
            served.space.report,
        )
    print(f"{move.__name__}: {answers.total} requests in {answers.seconds:.0f} s", answers.lost)
    return answers


def test_no_request_is_lost_whatever_moves(served: Served) -> None:
    whole = Answers()
    for move in MOVES:
        answers = under_load(served, move, REQUESTS / (len(MOVES) + 1))
        assert answers.lost == {}, (move.__name__, served.space.report())
        whole.add(answers)
    killed = under_load(served, kill, REQUESTS - whole.total)
    assert sum(killed.lost.values()) <= IN_FLIGHT, (killed.lost, served.space.report())
    whole.add(killed)
    assert whole.total >= REQUESTS
