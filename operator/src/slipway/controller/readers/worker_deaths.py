"""Asking serving pods why a worker of theirs died last."""

import time
from collections.abc import Callable, Iterator, Mapping

from slipway.api import ModelDeployment
from slipway.controller.readers.asking.bounded import BoundedReader, Bounds
from slipway.controller.readers.asking.questions import Questions
from slipway.controller.readers.asking.turns import Turns
from slipway.controller.readers.pod_metrics import ops_url
from slipway.envoy import DEATHS_PATH
from slipway.observed.pods import PodView
from slipway.plan import Children, Manifest
from slipway.serving.children.config_maps import revision_label
from slipway.serving.observed.deaths import MOST_BYTES, Death, parse, serves_no_more

_BOUNDS = Bounds(total_seconds=3.0, connect_seconds=1.0, most_bytes=MOST_BYTES)
_IN_ALL, _EACH = 32, 8
"""How many pods are asked at a time, in all and in one namespace."""


class DeathReader:
    """Asks the pods that serve no more, and those of a candidate, holding nothing up.

    ``tell`` is called with a deployment once a pod has told news.
    """

    def __init__(
        self,
        interval: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[Manifest], None] = lambda _: None,
    ) -> None:
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
        for pod in children.of_kind("Pod"):
            if (uid := PodView(pod).uid) not in known:
                self._questions.forget(uid)
        return {uid: death for uid, death in known.items() if death is not None}

    def _newest(self, pod: Manifest, raw: Manifest) -> Death | None:
        async def ask(_: Death | None) -> Death | None:
            url = ops_url(pod) + DEATHS_PATH
            return parse(await self._reader.get_page(url, pod["metadata"]["namespace"]))

        uid = pod["metadata"]["uid"]
        return self._questions.read(uid, ask, lambda: self._tell(raw)).value

    async def close(self) -> None:
        """Close the connections."""
        await self._questions.close()
        await self._reader.close()


def _asked(deployment: ModelDeployment, children: Children) -> Iterator[PodView]:
    rollout = deployment.status.rollout
    tried = rollout.candidate.revision if rollout and rollout.candidate else None
    for manifest in children.of_kind("Pod"):
        pod, status = PodView(manifest), manifest.get("status") or {}
        if status.get("phase") != "Running" or not status.get("podIP"):
            continue
        if manifest["metadata"].get("deletionTimestamp") or not pod.uid:
            continue
        if serves_no_more(pod) or revision_label(manifest) == tried:
            yield pod
