"""Asking serving pods why a worker of theirs died last.

A pod that serves no more is asked at once; `death_rounds` asks the others.
"""

import time
from collections.abc import Callable, Iterator, Mapping

from cachetools import LRUCache

from slipway.api import ModelDeployment
from slipway.controller.readers.asking.bounded import BoundedReader, Bounds
from slipway.controller.readers.asking.questions import Questions
from slipway.controller.readers.asking.turns import Turns
from slipway.controller.readers.pod_metrics import ops_url
from slipway.envoy import DEATHS_PATH
from slipway.manifests import head_of
from slipway.observed.pods import PodView
from slipway.plan import Children, Manifest
from slipway.serving.children.config_maps import revision_label
from slipway.serving.observed.deaths import MOST_BYTES, Death, parse, serves_no_more
from slipway.serving.observed.pods import is_own_server, serving_pods

_BOUNDS = Bounds(total_seconds=3.0, connect_seconds=1.0, most_bytes=MOST_BYTES)
_IN_ALL, _EACH = 32, 8
"""How many pods are asked at a time, in all and in one namespace."""
_MOST_TOLD = 1 << 15


class DeathReader:
    """Asks pods that serve no more, and those of a candidate, be it gone back; holds nothing up.

    ``tell`` is called with a deployment once a pod has told news. ``told`` is how many deaths of a
    pod a deployment's conditions and events have told of, by the pods' UIDs.
    """

    def __init__(
        self,
        interval: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[Manifest], None] = lambda _: None,
    ) -> None:
        self.told: LRUCache[str, int] = LRUCache(_MOST_TOLD)
        self._tell = tell
        self._questions: Questions[Death | None] = Questions(interval, clock)
        self._reader = BoundedReader(_BOUNDS, Turns(_IN_ALL, _EACH))

    def read(
        self, deployment: ModelDeployment, raw: Manifest, children: Children
    ) -> dict[str, Death]:
        """Return what is known, by the UIDs of pods; only pods that are asked are in it.

        What one told that serves again is forgotten: it would be taken for why it dies next.
        """
        known: Mapping[str, Death | None] = {
            pod.uid: self._newest(pod.manifest, raw) for pod in _asked(deployment, children)
        }
        silent = {pod.uid for pod in out_of_service(children)}
        for pod in children.of_kind("Pod"):
            if (uid := PodView(pod).uid) not in known:
                self._questions.forget(uid)
            elif uid in silent and (death := known[uid]):
                self.told[uid] = death.count
        return {uid: death for uid, death in known.items() if death is not None}

    def _newest(self, pod: Manifest, raw: Manifest) -> Death | None:
        url, tenant, head = ops_url(pod) + DEATHS_PATH, pod["metadata"]["namespace"], head_of(raw)

        async def ask(_: Death | None) -> Death | None:
            return await self._ask(url, tenant)

        uid = pod["metadata"]["uid"]
        return self._questions.read(uid, ask, lambda: self._tell(head)).value

    async def ask(self, pod: Manifest) -> Death | None:
        """Return what a pod tells now; raises UnansweredError."""
        return await self._ask(ops_url(pod) + DEATHS_PATH, pod["metadata"]["namespace"])

    async def _ask(self, url: str, tenant: str) -> Death | None:
        return parse(await self._reader.get_page(url, tenant))

    async def close(self) -> None:
        """Close the connections."""
        await self._questions.close()
        await self._reader.close()


def _asked(deployment: ModelDeployment, children: Children) -> Iterator[PodView]:
    rollout = deployment.status.rollout
    found = (rollout.candidate, rollout.failed) if rollout else ()
    tried = {one.revision for one in found if one}
    for pod in serving_pods(children):
        at_fault = serves_no_more(pod) or revision_label(pod.manifest) in tried
        if at_fault and answers(pod):
            yield pod


def answers(pod: PodView) -> bool:
    """Tell whether a pod that has not been told to go can be asked, and has workers to tell of."""
    runs = pod.status.get("phase") == "Running" and bool(pod.status.get("podIP") and pod.uid)
    return runs and not is_own_server(pod)


def out_of_service(children: Children) -> Iterator[PodView]:
    """Yield the pods of revisions that no pod serves: the conditions tell why."""
    pods = serving_pods(children)
    serving = {revision_label(pod.manifest) for pod in pods if pod.ready}
    for pod in pods:
        if serves_no_more(pod) and revision_label(pod.manifest) not in serving:
            yield pod
