"""Why Kubernetes' Job controller makes no pods, by its events: asked where pods are missing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from cachetools import LRUCache

from slipway.kube.answers.response import TooLongError
from slipway.kube.resources import EVENTS
from slipway.plan import Children, Manifest
from slipway.pods.refused import lacks_pods_since, last_refusal

PATIENCE_SECONDS = 3.0
"""A Job gets so long to make its pods before it is asked why it has none."""
AGAIN_SECONDS = 8.0
"""An answer is believed for so long."""
_MOST_JOBS, _MOST_EVENTS = 4096, "50"
_SLACK = timedelta(seconds=1)
"""Kubernetes tells the start of a Job in whole seconds."""


class Requests(Protocol):
    """Sends one request to the API server."""

    async def request(
        self, method: str, path: str, body: Any = None, *, params: Mapping[str, str] | None = None
    ) -> Manifest:
        """Return the answer's JSON; raises a ``KubeError`` or TooLongError."""


@dataclass(frozen=True)
class Refused:
    """The API server's sentences by the UIDs of the Jobs whose pods it refuses.

    ``again`` says in how many seconds another look is due; None where all pods are there.
    """

    sentences: Mapping[str, str] = field(default_factory=dict)
    again: float | None = None


class Refusals:
    """Reads the events of Jobs that lack pods, each at most once in ``AGAIN_SECONDS``.

    A Job has no condition for it, as a Deployment has; a watch on all events of a cluster would
    cost more than a question of the few Jobs that wait.
    """

    def __init__(
        self, client: Requests, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._client = client
        self._clock = clock
        self._known: LRUCache[str, tuple[datetime, str]] = LRUCache(_MOST_JOBS)

    async def of(self, children: Children) -> Refused:
        """Return what is known of an object's Jobs; raises a ``KubeError``."""
        sentences: dict[str, str] = {}
        again: float | None = None
        pods = children.of_kind("Pod")
        for job in children.of_kind("Job"):
            since = lacks_pods_since(job, pods)
            if since is None:
                continue
            waited = (self._clock() - since).total_seconds()
            # A clock that is behind the API server's says nothing of how long it is.
            early = PATIENCE_SECONDS - waited if waited >= 0 else 0.0
            if early <= 0:
                sentences[job["metadata"]["uid"]] = await self._asked(job, since)
            again = max(early, 0.0) or AGAIN_SECONDS
        return Refused({uid: text for uid, text in sentences.items() if text}, again)

    async def _asked(self, job: Manifest, since: datetime) -> str:
        uid, now = str(job["metadata"]["uid"]), self._clock()
        asked, text = self._known.get(uid, (None, ""))
        if asked is not None and 0 <= (now - asked).total_seconds() < AGAIN_SECONDS:
            return text
        selector = f"regarding.uid={uid},reason=FailedCreate"
        query = {"fieldSelector": selector, "limit": _MOST_EVENTS}
        try:
            found = await self._client.request(
                "get", EVENTS.path(job["metadata"]["namespace"]), params=query
            )
        except TooLongError:  # these are a user's: the Job controller writes small ones
            found = {}
        text = last_refusal(found.get("items") or (), since - _SLACK)
        self._known[uid] = (now, text)
        return text
