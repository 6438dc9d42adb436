"""What the pods of a rollout's two revisions answered, read from the pods themselves.

Samples are kept in memory alone: after a restart of the operator a window begins again, and nothing
that was not seen is guessed.
"""

import asyncio
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import dropwhile

from slipway.api import parse_time
from slipway.controller.readers.asking.bounded import BoundedReader, Bounds
from slipway.controller.readers.asking.questions import Questions, Tell
from slipway.controller.readers.asking.turns import Turns
from slipway.controller.readers.pod_metrics import ops_url, read_pod
from slipway.manifests import REVISION
from slipway.plan import Manifest
from slipway.serving.analysis.traffic import Counters, PodSample, Sample, Traffic

LOOK_SECONDS = 5.0
"""How often the pods are looked at while an analysis goes on."""
_BOUNDS = Bounds(total_seconds=4.0, connect_seconds=1.0, most_bytes=256 * 1024)
_IN_ALL, _EACH = 64, 16
"""How many pods are asked at a time, in all and in one namespace."""
_MOST_SAMPLES, _MOST_OF_PODS = 256, 2048
"""How many samples are kept of a deployment, and how many pods' gauges in all of them together."""
_NEWEST = 8
"""So many of the newest samples are kept whole: the next window begins at one of them."""


@dataclass(frozen=True)
class Question:
    """Whose traffic is asked for: a deployment, by UID, and its two revisions.

    ``namespace`` is the deployment's. ``windows`` are the moments since which requests count; older
    samples are forgotten. ``measures`` are the model's own that are looked at.
    """

    uid: str
    namespace: str
    candidate: str
    stable: str
    windows: tuple[datetime, ...] = ()
    measures: frozenset[str] = frozenset()

    @property
    def revisions(self) -> tuple[str, str]:
        """The candidate's and the stable revision."""
        return self.candidate, self.stable


@dataclass(frozen=True)
class _Asked:
    """What a question needs of a pod, which is remembered without the pod."""

    uid: str
    revision: str
    url: str
    started: datetime | None


class TrafficReader:
    """Asks the pods of rollouts, those of one deployment at most once in ``interval`` seconds."""

    def __init__(
        self,
        interval: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self._questions: Questions[Traffic] = Questions(interval, clock, LOOK_SECONDS)
        self._reader = BoundedReader(_BOUNDS, Turns(_IN_ALL, _EACH))

    def read(self, question: Question, pods: Sequence[Manifest], tell: Tell) -> Traffic:
        """Return what is known of the two revisions, and have their pods asked where it is old.

        ``tell`` is called when another sample has come.
        """
        asked = tuple(_asked(question.revisions, pods))

        async def ask(before: Traffic | None) -> Traffic:
            samples = await self._sample(question, asked, before.samples if before else ())
            return Traffic(*question.revisions, samples)

        known = self._questions.read(question.uid, ask, tell).value
        if known is not None and (known.candidate, known.stable) != question.revisions:
            self.forget(question.uid)
            known = self._questions.read(question.uid, ask, tell).value
        return known or Traffic(*question.revisions)

    def forget(self, uid: str) -> None:
        """Forget a deployment, whose rollout is over."""
        self._questions.forget(uid)

    async def _sample(
        self, question: Question, asked: Sequence["_Asked"], before: Sequence[Sample]
    ) -> tuple[Sample, ...]:
        moment = self._now()
        answers = await asyncio.gather(*(self._ask(question, pod) for pod in asked))
        found = {pod.uid: one for pod, one in zip(asked, answers, strict=True) if one}
        started = {pod.uid: pod.started for pod in asked}
        samples = add_sample(before, Sample(moment, found), started)
        return tuple(prune(samples, question.windows))

    async def _ask(self, question: Question, pod: "_Asked") -> PodSample | None:
        return await read_pod(
            self._reader, pod.url, pod.revision, question.namespace, question.measures
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._questions.close()
        await self._reader.close()


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

    Each window's first sample and the newest ones are kept whole, since counters are told by their
    difference. Of what lies between, the gauges are kept, for their means: histograms of a hundred
    pods would take the operator's memory.
    """
    starts = list(windows)
    oldest = min(starts, default=samples[-1].time)
    known = [one for one in samples if one.time >= oldest] or samples[-1:]
    kept = list(dropwhile(lambda one: not one.whole, known))
    firsts = {
        next(one.time for one in kept if one.whole and one.time >= start)
        for start in starts
        if start <= kept[-1].time
    }
    whole = firsts | {one.time for one in kept[-_NEWEST:]}
    thin = (one if one.time in whole else _gauges_of(one) for one in kept)
    left = [one for one in thin if one.pods or one.time in whole]
    if len(left) <= min(_MOST_SAMPLES, _MOST_OF_PODS // max(1, len(left[-1].pods))):
        return left
    return [one for index, one in enumerate(left) if index % 2 == 0 or one.time in whole]


def _gauges_of(sample: Sample) -> Sample:
    """Return what is left of a sample between others."""
    if not sample.whole:
        return sample
    gauges = {uid: pod.counters.gauges for uid, pod in sample.pods.items()}
    pods = {
        uid: PodSample(sample.pods[uid].revision, Counters(gauges=found))
        for uid, found in gauges.items()
        if found
    }
    return Sample(sample.time, pods, whole=False)


def _asked(revisions: Container[str], pods: Iterable[Manifest]) -> Iterator[_Asked]:
    """Yield those of the pods that can be asked and are of one of the revisions."""
    for pod in pods:
        if _revision(pod) in revisions and _answers(pod):
            uid = str(pod["metadata"]["uid"])
            yield _Asked(uid, _revision(pod), ops_url(pod), _started(pod))


def _revision(pod: Manifest) -> str:
    return str((pod["metadata"].get("labels") or {}).get(REVISION, ""))


def _answers(pod: Manifest) -> bool:
    status = pod.get("status") or {}
    return status.get("phase") == "Running" and bool(status.get("podIP"))


def _started(pod: Manifest) -> datetime | None:
    return parse_time((pod.get("status") or {}).get("startTime"))
