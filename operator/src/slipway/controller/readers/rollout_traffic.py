"""What the pods of a rollout's two revisions answered, read from the pods themselves.

Samples are kept in memory alone: after a restart of the operator a window begins again, and nothing
that was not seen is guessed.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import aiohttp
from cachetools import LRUCache

from slipway.api import parse_time
from slipway.controller.readers.pod_metrics import ops_url, read_pod
from slipway.controller.readers.sessions import LazySession
from slipway.manifests import REVISION
from slipway.plan import Manifest
from slipway.serving.traffic import PodSample, Sample, Traffic

_TIMEOUT = aiohttp.ClientTimeout(total=4, connect=1)
_AT_ONCE = 16
_MOST_SAMPLES = 256
_MOST_DEPLOYMENTS = 4096


@dataclass(frozen=True)
class Question:
    """Whose traffic is asked for: a deployment, by UID, and its two revisions.

    ``windows`` are the moments since which requests count; older samples are forgotten.
    """

    uid: str
    candidate: str
    stable: str
    windows: tuple[datetime, ...] = ()


@dataclass
class _Memory:
    question: Question
    asked: float
    samples: list[Sample] = field(default_factory=list)


class TrafficReader:
    """Asks the pods of rollouts, those of one deployment at most once in ``interval`` seconds."""

    def __init__(
        self,
        interval: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._interval = interval
        self._clock = clock
        self._now = now
        self._known: LRUCache[str, _Memory] = LRUCache(_MOST_DEPLOYMENTS)
        self._session = LazySession(_TIMEOUT, limit=2 * _AT_ONCE)

    async def read(self, question: Question, pods: Sequence[Manifest]) -> Traffic:
        """Return what is known of the two revisions, asking their pods where that is too old."""
        memory = self._memory(question)
        if self._clock() - memory.asked >= self._interval or not memory.samples:
            memory.asked = self._clock()
            await self._sample(memory, question, pods)
        return Traffic(question.candidate, question.stable, tuple(memory.samples))

    def forget(self, uid: str) -> None:
        """Forget a deployment, whose rollout is over."""
        self._known.pop(uid, None)

    def _memory(self, question: Question) -> _Memory:
        found = self._known.get(question.uid)
        same = found is not None and _revisions(found.question) == _revisions(question)
        if found is None or not same:
            found = self._known[question.uid] = _Memory(question, self._clock())
        return found

    async def _sample(self, memory: _Memory, question: Question, pods: Sequence[Manifest]) -> None:
        asked = [pod for pod in pods if _revision(pod) in _revisions(question) and _answers(pod)]
        moment = self._now()
        limit = asyncio.Semaphore(_AT_ONCE)

        async def ask(pod: Manifest) -> PodSample | None:
            async with limit:
                return await read_pod(self._session.get(), ops_url(pod), _revision(pod))

        answers = await asyncio.gather(*(ask(pod) for pod in asked))
        found = {
            pod["metadata"]["uid"]: one for pod, one in zip(asked, answers, strict=True) if one
        }
        older = {pod["metadata"]["uid"]: _started(pod) for pod in asked}
        memory.samples = add_sample(memory.samples, Sample(moment, found), older)
        memory.samples = prune(memory.samples, question.windows)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


def add_sample(
    samples: Sequence[Sample], new: Sample, started: Mapping[str, datetime | None]
) -> list[Sample]:
    """Return the samples with a new one, without the gaps that silent pods would tear.

    A pod that does not answer now is as it was last seen. One that is seen for the first time, but
    ran before, is taken to have been the same before: what it answered unseen counts for nobody.
    """
    before = samples[-1].pods if samples else {}
    silent = {uid: pod for uid, pod in before.items() if uid not in new.pods}
    whole = [*samples, replace(new, pods={**silent, **new.pods})]
    for uid, pod in new.pods.items():
        begun = started.get(uid)
        if uid in before or begun is None:
            continue
        whole = [
            replace(one, pods={uid: pod, **one.pods}) if one.time > begun else one for one in whole
        ]
    return whole


def prune(samples: Sequence[Sample], windows: Iterable[datetime]) -> list[Sample]:
    """Return the samples that a window can still need: those since its start, thinned out.

    Each window's first sample and the newest one are never given up.
    """
    starts = list(windows)
    oldest = min(starts, default=samples[-1].time)
    kept = [one for one in samples if one.time >= oldest] or list(samples[-1:])
    if len(kept) <= _MOST_SAMPLES:
        return kept
    firsts = {
        next(one.time for one in kept if one.time >= start)
        for start in starts
        if start <= kept[-1].time
    }
    needed = {kept[0].time, kept[-1].time, *firsts}
    return [one for index, one in enumerate(kept) if index % 2 == 0 or one.time in needed]


def _revisions(question: Question) -> tuple[str, str]:
    return question.candidate, question.stable


def _revision(pod: Manifest) -> str:
    return str((pod["metadata"].get("labels") or {}).get(REVISION, ""))


def _answers(pod: Manifest) -> bool:
    status = pod.get("status") or {}
    return status.get("phase") == "Running" and bool(status.get("podIP"))


def _started(pod: Manifest) -> datetime | None:
    return parse_time((pod.get("status") or {}).get("startTime"))
