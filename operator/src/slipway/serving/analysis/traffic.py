"""What the pods of two revisions answered, as their own counters tell it. Pure.

Counters only grow while a process lives; what happened in a span of time is the difference of two
samples. A process that started anew began again at 0, and a pod that came meanwhile had answered
nothing before.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import dropwhile
from typing import TypeVar

from slipway.api.serving.analysis import AnalysisMetric

Key = TypeVar("Key")

Buckets = tuple[tuple[float, float], ...]
"""A histogram: upper bounds in milliseconds, ascending, with how many answers took at most that."""


@dataclass(frozen=True)
class Counters:
    """What one pod answered since its start, or all of a revision's in a span of time.

    ``requests`` are those that its own server was given, whoever sent them; ``errors`` are
    those of them that ended in a server error (5xx, or no answer in time). ``latency`` is the
    histogram of the answers' times. ``totals`` are the model's own counters, its histograms' sums
    and counts among them (``NAME_sum``, ``NAME_count``); ``gauges`` its gauges, by name.
    """

    requests: float = 0
    errors: float = 0
    latency: Buckets = ()
    totals: Mapping[str, float] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PodSample:
    """One pod at one moment.

    ``forwarded`` and ``forward_errors`` count what this pod's Envoy sent to the other slot, and
    what of it ended in a server error: the users' own view of the other revision, which knows of
    answers that never came.
    """

    revision: str
    counters: Counters
    forwarded: float = 0
    forward_errors: float = 0


@dataclass(frozen=True)
class Sample:
    """All pods that answered at one moment, by UID.

    Of one that is not ``whole`` the gauges alone are kept: no window begins or ends with it.
    """

    time: datetime
    pods: Mapping[str, PodSample]
    whole: bool = True


@dataclass(frozen=True)
class Reading:
    """What a Prometheus query gave for the two revisions, or why it gave nothing.

    ``age`` is how many seconds ago the older of the values was asked for.
    """

    candidate: float | None = None
    stable: float | None = None
    error: str = ""
    age: float = 0.0


@dataclass(frozen=True)
class Window:
    """The traffic of both revisions between two samples."""

    start: datetime
    end: datetime
    candidate: Counters
    stable: Counters

    @property
    def seconds(self) -> float:
        """How long the window is."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True)
class Traffic:
    """The samples that are known of two revisions, oldest first, and what Prometheus said."""

    candidate: str
    stable: str
    samples: tuple[Sample, ...] = ()
    readings: Mapping[AnalysisMetric, Reading] = field(default_factory=dict)

    @property
    def end(self) -> datetime | None:
        """The time of the newest sample."""
        return self.samples[-1].time if self.samples else None

    def since(self, start: datetime) -> Window | None:
        """Return what happened since a moment, or since the first whole sample after it."""
        later = (sample for sample in self.samples if sample.time >= start)
        samples = list(dropwhile(lambda sample: not sample.whole, later))
        if not samples:
            return None
        return Window(
            start=samples[0].time,
            end=samples[-1].time,
            candidate=_traffic(samples, self.candidate, forwarders=self.stable),
            stable=_traffic(samples, self.stable, forwarders=self.candidate),
        )


def _traffic(samples: list[Sample], revision: str, forwarders: str) -> Counters:
    """Return what a revision answered; whichever account knows of more requests is believed."""
    own = [_difference(*pair) for pair in _spans(samples, revision)]
    errors = sum(one.errors for one in own)
    sent = list(_spans(samples, forwarders))
    unheard = sum(_grown(a.forward_errors if a else 0, b.forward_errors) for a, b in sent) - errors
    unheard = max(0.0, unheard)
    requests = sum(one.requests for one in own)
    forwarded = sum(_grown(a.forwarded if a else 0, b.forwarded) for a, b in sent)
    return Counters(
        requests=max(requests, forwarded),
        errors=errors + unheard,
        latency=add_buckets(one.latency for one in own),
        totals=_sums(one.totals for one in own),
        gauges=_means(samples, revision),
    )


def _spans(samples: list[Sample], revision: str) -> Iterator[tuple[PodSample | None, PodSample]]:
    """Yield each pod's first and last sample in the window; None for one that came later."""
    pods = {uid: pod.revision for sample in samples for uid, pod in sample.pods.items()}
    for uid in sorted(uid for uid, found in pods.items() if found == revision):
        first = samples[0].pods.get(uid)
        last = next(sample.pods[uid] for sample in reversed(samples) if uid in sample.pods)
        yield first, last


def _difference(first: PodSample | None, last: PodSample) -> Counters:
    before = first.counters if first else Counters()
    after = last.counters
    if after.requests < before.requests:
        before = Counters()
    return Counters(
        requests=after.requests - before.requests,
        errors=_grown(before.errors, after.errors),
        latency=_subtract(after.latency, before.latency),
        totals={name: _grown(before.totals.get(name, 0), v) for name, v in after.totals.items()},
    )


def _grown(before: float, after: float) -> float:
    """Return by how much a counter grew; one that is lower than before began anew."""
    return after - before if after >= before else after


def _subtract(after: Buckets, before: Buckets) -> Buckets:
    known = dict(before)
    return tuple((bound, _grown(known.get(bound, 0), count)) for bound, count in after)


def add_buckets(histograms: Iterable[Buckets]) -> Buckets:
    """Return the sum of histograms with the same bounds."""
    return tuple(sorted(_sums(map(dict, histograms)).items()))


def _sums(all_totals: Iterable[Mapping[Key, float]]) -> dict[Key, float]:
    found: dict[Key, float] = {}
    for totals in all_totals:
        for name, value in totals.items():
            found[name] = found.get(name, 0) + value
    return found


def _means(samples: list[Sample], revision: str) -> dict[str, float]:
    """Return the means of a revision's gauges over its pods and the samples in the window."""
    seen: dict[str, list[float]] = {}
    for sample in samples[1:] or samples:
        for pod in sample.pods.values():
            if pod.revision == revision:
                for name, value in pod.counters.gauges.items():
                    seen.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in seen.items()}


def quantile(latency: Buckets, share: float) -> float | None:
    """Return the time in milliseconds in which a share of the answers came; None for no answers.

    Within a bucket the answers count as evenly spread, as in PromQL's histogram_quantile; beyond
    the last bound, the last bound is returned.
    """
    finite = [(bound, count) for bound, count in latency if bound != float("inf")]
    total = latency[-1][1] if latency else 0
    if total <= 0 or not finite:
        return None
    wanted, lower, below = share * total, 0.0, 0.0
    for bound, count in finite:
        if count >= wanted and count > below:
            return lower + (bound - lower) * max(0.0, wanted - below) / (count - below)
        lower, below = bound, count
    return finite[-1][0]
