"""Which kinds the cluster serves, and how long that is believed."""

from typing import Any

from slipway.kube.discovery import Discovery
from slipway.kube.errors import NotFound
from slipway.plan import Manifest

GROUP = "scheduling.volcano.sh/v1beta1"


class Api:
    """Serves some kinds, and counts how often it is asked."""

    def __init__(self) -> None:
        self.kinds: list[str] | None = None
        self.asked: list[str] = []

    async def request(self, method: str, path: str, **_parameters: Any) -> Manifest:
        self.asked.append(f"{method} {path}")
        if self.kinds is None:
            raise NotFound("There is no such group.", 404)
        return {"resources": [{"kind": kind} for kind in self.kinds]}


async def test_a_group_that_is_missing_is_asked_for_again_soon() -> None:
    api, clock = Api(), [0.0]
    discovery = Discovery(api, lambda: clock[0])
    assert not await discovery.serves(GROUP, "PodGroup")
    api.kinds = ["PodGroup"]
    assert not await discovery.serves(GROUP, "PodGroup")
    clock[0] = 5.0
    assert await discovery.serves(GROUP, "PodGroup")
    assert api.asked == [f"get /apis/{GROUP}"] * 2


async def test_a_kind_that_is_served_is_believed_for_minutes() -> None:
    api, clock = Api(), [0.0]
    api.kinds = ["PodGroup", "Queue"]
    discovery = Discovery(api, lambda: clock[0])
    assert await discovery.serves(GROUP, "PodGroup")
    clock[0] = 299.0
    assert await discovery.serves(GROUP, "Queue")
    assert len(api.asked) == 1
    clock[0] = 300.0
    assert not await discovery.serves(GROUP, "Job")
    assert len(api.asked) == 2
