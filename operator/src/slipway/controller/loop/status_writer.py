"""Writing an object's status: once a reconcile, only when it changed, and not on every flicker."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from cachetools import LRUCache

from slipway.api.conditions import timestamp
from slipway.kube.client import Client
from slipway.kube.errors import Conflict, NotFound, Rejected
from slipway.kube.reasons import STALLED
from slipway.kube.resources import TRAINING_JOBS
from slipway.kube.watched.cache import Cache
from slipway.kube.writes.compare import manifest_hash, prune
from slipway.plan import Manifest, ObjectRef
from slipway.serving.reasons import READY
from slipway.uris import scrubbed

SOFT_FIELDS = frozenset({"nodes", "progress", "replicas", "updatedReplicas", "readyReplicas"})
"""Fields that may lag: alone, they are written at most once in the interval."""

_MOST = 4096


@dataclass(frozen=True)
class Trouble:
    """Why a plan cannot be carried out: the Stalled condition's reason and message."""

    reason: str
    message: str


def _condition(
    type_: str,
    status: str,
    observed: Mapping[str, Any],
    trouble: Trouble,
    at: tuple[int, datetime],
) -> Manifest:
    """Return a condition that tells of trouble; ``at`` is the spec's generation and the time.

    Its transition time stays where it had the same status before.
    """
    generation, now = at
    before = next((c for c in observed.get("conditions") or () if c["type"] == type_), None)
    kept = before is not None and before["status"] == status
    return {
        "type": type_,
        "status": status,
        "reason": trouble.reason,
        "message": scrubbed(trouble.message)[:8192],
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if before and kept else timestamp(now),
    }


def overlay(
    obj: Manifest, planned: Manifest | None, trouble: Trouble | None, now: datetime
) -> Manifest | None:
    """Return the status to write: what was planned, with or without Stalled; None for no change.

    Without a planned status the observed one is kept, and only Stalled comes or goes. A TrainingJob
    has a reason of its own for its column; a ModelDeployment shows that of Ready, which is false
    while it is stalled.
    """
    observed = obj.get("status") or {}
    base = observed if planned is None else planned
    conditions = [c for c in base.get("conditions") or () if c["type"] != STALLED]
    is_job = obj["kind"] == TRAINING_JOBS.kind
    if trouble is not None:
        generation = int(obj["metadata"].get("generation", 1))
        told = partial(_condition, observed=observed, trouble=trouble, at=(generation, now))
        if not is_job:
            conditions = [c for c in conditions if c["type"] != READY]
            conditions.append(told(READY, "False"))
        conditions.append(told(STALLED, "True"))
    elif planned is None and len(conditions) == len(base.get("conditions") or ()):
        return None
    why = {"reason": trouble.reason} if trouble and is_job else {}
    return {**base, **why, "conditions": conditions}


def _hard_part(status: Mapping[str, Any]) -> Any:
    rest = {key: value for key, value in status.items() if key not in SOFT_FIELDS}
    conditions = status.get("conditions") or ()
    rest["conditions"] = [(c["type"], c["status"], c["reason"]) for c in conditions]
    return prune(rest)


def is_soft(observed: Mapping[str, Any], desired: Mapping[str, Any]) -> bool:
    """Tell whether two statuses differ only in counts, progress and the wording of messages."""
    return bool(_hard_part(observed) == _hard_part(desired))


class StatusWriter:
    """Writes statuses, each as a whole, on the status subresource."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._cache = cache
        self._interval = interval
        self._clock = clock
        self._last: LRUCache[str, tuple[float, str, str]] = LRUCache(_MOST)

    def pause(self, obj: Manifest, desired: Manifest) -> float | None:
        """Return in how many seconds the status is to be written: 0 for now, None for never."""
        observed = obj.get("status") or {}
        if prune(observed) == prune(desired):
            return None
        at, wanted, became = self._last.get(obj["metadata"]["uid"], (None, "", ""))
        if at is None:
            return 0.0
        if wanted == manifest_hash(desired) and became == manifest_hash(observed):
            return None
        return max(0.0, at + self._interval - self._clock()) if is_soft(observed, desired) else 0.0

    async def write(self, obj: Manifest, desired: Manifest) -> bool:
        """Write a status; tell whether the object was still there, and not a namesake.

        Raises ``Conflict`` where the object has changed since this version of it, which the cache
        then has.
        """
        uid = obj["metadata"]["uid"]
        try:
            answer = await self._client.write_status(obj, desired)
        except (NotFound, Conflict, Rejected):
            if await self._is_gone(obj):
                return False
            raise
        self._cache.feed(answer)
        became = manifest_hash(answer.get("status") or {})
        self._last[uid] = (self._clock(), manifest_hash(desired), became)
        return True

    async def _is_gone(self, obj: Manifest) -> bool:
        """Tell whether an object is not there any more, and forget it then."""
        ref, uid = ObjectRef.of(obj), obj["metadata"]["uid"]
        live = await self._client.get(ref)
        if live is not None and live["metadata"]["uid"] == uid:
            self._cache.feed(live)
            return False
        self._cache.remove(ref, uid)
        return True
