"""Moves of a deployment under load: a rolling update, a canary that takes over, scaling."""

from dataclasses import dataclass

from tests.cluster import toy
from tests.cluster.attack import Target
from tests.cluster.rollouts import stable
from tests.cluster.support import SERVE, Space, condition, is_ready
from tests.harness import Object
from tests.harness.waiting import wait_for

NAME = "soak"
PODS = f"slipway.dev/model-deployment={NAME}"
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
        return toy.target(self.space, NAME)

    def apply(self, rollout: Object, replicas: int = 1, **variables: str) -> None:
        found = toy.deployment(NAME, self.model, rollout, **variables)
        found["spec"]["replicas"] = replicas
        self.space.apply(found)

    def state(self) -> Object:
        return self.space.deployment(NAME)

    def pods(self) -> list[Object]:
        """Return the pods, those that go left out."""
        return [pod for pod in self.space.pods(PODS) if "deletionTimestamp" not in pod["metadata"]]

    def wait_until_settled(self, count: int) -> None:
        """Wait until the deployment is ready: so many pods serve, and none is on its way out."""

        def settled() -> bool:
            pods = self.space.pods(PODS)
            serve = [pod for pod in pods if condition(pod, "Ready").get("status") == "True"]
            alone = len(pods) == len(serve) == len(self.pods()) == count
            return alone and is_ready(self.state())

        wait_for(settled, SERVE, f"{count} pods serve and no others are there", self.space.report)


def roll(served: Served, turn: int) -> None:
    """A rolling update, whole."""
    served.apply(ROLLING, ANSWER=f"rolled {turn}")
    served.wait_until_settled(1)


def promote(served: Served, turn: int) -> None:
    """A canary that takes over."""
    before = stable(served.state())
    served.apply(CANARY, ANSWER=f"promoted {turn}")
    served.space.wait("mdep", NAME, lambda it: stable(it) != before, SERVE)
    served.wait_until_settled(1)


def scale(served: Served, turn: int) -> None:
    """From 1 pod to 3 and back."""
    for count in (3, 1):
        served.apply(WAITING, count, ANSWER=f"promoted {turn}")
        served.wait_until_settled(count)
