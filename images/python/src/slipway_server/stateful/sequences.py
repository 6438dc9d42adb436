"""Which request of which sequence a worker gets next: no clock, no processes, no sockets.

See `slipway_server.stateful` for what a sequence is. Moments and times are in seconds.
"""

import heapq
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Job = TypeVar("Job")
_MOST_CLOSED = 64
"""So many closed sequences are remembered beside as many as are open."""


@dataclass(frozen=True)
class Bounds:
    """How many sequences there may be, how many requests wait in each, and how long it is kept.

    ``idle`` is how long a sequence may have nothing to do; one that is older than ``oldest``,
    unless that is 0, is over as soon as it has nothing to do.
    """

    sequences: int
    waiting: int
    idle: float
    oldest: float = 0.0


class SequencesFullError(Exception):
    """No further sequence is taken."""


class SequenceFullError(Exception):
    """No further request of that sequence is taken."""


class SequenceLostError(Exception):
    """The worker that knew the sequence has ended."""


@dataclass(eq=False)
class _Sequence(Generic[Job]):
    """One sequence: what waits, how many of its requests its worker has, and when it is over.

    ``worker`` is None where there is none yet, or where it has ended (``is_lost``). ``over`` is the
    moment at which it is over unless a request comes.
    """

    name: str
    begun: float
    worker: int | None = None
    waiting: "deque[Job]" = field(default_factory=deque)
    running: int = 0
    over: float = 0.0
    has_begun: bool = False
    is_lost: bool = False
    is_timed: bool = False

    @property
    def is_busy(self) -> bool:
        return bool(self.waiting) or self.running > 0


class Sequences(Generic[Job]):
    """The open sequences, each with its worker, and whose turn it is.

    ``together`` lets a sequence have several requests in the worker, each begun in a step of its
    own; else the next one is given when the one before is done. Adding, taking and finishing take
    no longer where there are more sequences.
    """

    def __init__(self, bounds: Bounds, *, together: bool = False) -> None:
        self._bounds = bounds
        self._together = together
        self._open: dict[str, _Sequence[Job]] = {}
        self._turns: dict[int | None, OrderedDict[_Sequence[Job], None]] = {None: OrderedDict()}
        self._counts: dict[int, int] = {}
        self._ending: list[tuple[float, int, _Sequence[Job]]] = []
        self._serial = 0
        self.waiting = 0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def most_waiting(self) -> int:
        """How many requests may wait in all."""
        return self._bounds.sequences * self._bounds.waiting

    def ready(self, worker: int) -> int:
        """Return how many sequences have a request for a worker now."""
        return len(self._turns[worker])

    def worker_of(self, name: str) -> int | None:
        """Return a sequence's worker; None where it has none."""
        return self._open[name].worker if name in self._open else None

    def join(self, worker: int) -> None:
        """Take in a worker that is ready; it gets the sequences that have none."""
        self._turns[worker] = OrderedDict()
        self._counts[worker] = 0
        for sequence in list(self._turns[None]):
            self._assign(sequence)

    def leave(self, worker: int) -> list[Job]:
        """Take a worker out that has ended; return what waited for it and is lost with it.

        Sequences of which it has begun nothing go to another worker.
        """
        del self._turns[worker], self._counts[worker]
        lost: list[Job] = []
        for sequence in [one for one in self._open.values() if one.worker == worker]:
            if not sequence.has_begun:
                self._assign(sequence)
                continue
            lost += sequence.waiting
            self.waiting -= len(sequence.waiting)
            if sequence.is_busy:
                del self._open[sequence.name]
            else:
                sequence.worker, sequence.is_lost = None, True
        return lost

    def check(self, name: str, now: float) -> None:
        """Raise what `add` would."""
        self._sweep(now)
        sequence = self._open.get(name)
        if sequence is None:
            if len(self._open) >= self._bounds.sequences:
                raise SequencesFullError
        elif sequence.is_lost:
            del self._open[name]
            raise SequenceLostError
        elif len(sequence.waiting) >= self._bounds.waiting:
            raise SequenceFullError

    def add(self, name: str, job: Job, now: float) -> int | None:
        """Have a request wait for its turn; return the worker that gets it.

        Raises ``SequencesFullError``, ``SequenceFullError``, or, once, ``SequenceLostError``.
        """
        self.check(name, now)
        sequence = self._open.get(name)
        if sequence is None:
            sequence = self._open[name] = _Sequence(name, now)
            sequence.waiting.append(job)
            self._assign(sequence)
        else:
            sequence.waiting.append(job)
            self._line_up(sequence)
        self.waiting += 1
        return sequence.worker

    def take(self, worker: int, most: int) -> list[tuple[str, Job]]:
        """Return a worker's next requests with their sequences: each sequence's next, in turn."""
        turns = self._turns[worker]
        taken = []
        for sequence in [one for one, _ in zip(turns, range(most), strict=False)]:
            del turns[sequence]
            taken.append((sequence.name, sequence.waiting.popleft()))
            sequence.running += 1
            sequence.has_begun = True
        self.waiting -= len(taken)
        if self._together:
            for name, _ in taken:
                self._line_up(self._open[name])
        return taken

    def finish(self, worker: int, name: str, now: float) -> None:
        """Note that a worker is done with a request of a sequence."""
        sequence = self._open.get(name)
        if sequence is None or sequence.worker != worker:
            return
        sequence.running -= 1
        self._line_up(sequence)
        self._rest(sequence, now)

    def end(self, worker: int, name: str, now: float) -> None:
        """End one of a worker's sequences; what is left in it begins it anew, with that worker."""
        sequence = self._open.get(name)
        if sequence is None or sequence.worker != worker:
            return
        if sequence.is_busy:
            sequence.begun, sequence.has_begun = now, sequence.running > 0
        else:
            self._close(sequence)

    def drop(self, name: str, job: Job, now: float) -> None:
        """Take a request out that nobody waits for, if it has not been taken."""
        sequence = self._open.get(name)
        if sequence is None or job not in sequence.waiting:
            return
        sequence.waiting.remove(job)
        self.waiting -= 1
        if not sequence.waiting:
            self._turns[sequence.worker].pop(sequence, None)
        if not sequence.has_begun and not sequence.waiting:
            self._close(sequence)
        else:
            self._rest(sequence, now)

    def _assign(self, sequence: _Sequence[Job]) -> None:
        """Give a sequence to the worker that has the fewest, or have it wait for one."""
        self._turns[None].pop(sequence, None)
        counts = self._counts
        sequence.worker = min(counts, key=lambda one: (counts[one], one)) if counts else None
        if sequence.worker is not None:
            counts[sequence.worker] += 1
        self._line_up(sequence)

    def _line_up(self, sequence: _Sequence[Job]) -> None:
        """Give a sequence its turn, after all that have one, where it may be given a request."""
        if sequence.waiting and (self._together or not sequence.running):
            self._turns[sequence.worker].setdefault(sequence)

    def _rest(self, sequence: _Sequence[Job], now: float) -> None:
        """Note when a sequence that has nothing to do is over."""
        if sequence.is_busy:
            return
        bounds = self._bounds
        sequence.over = now + bounds.idle
        if bounds.oldest:
            sequence.over = min(sequence.over, max(now, sequence.begun + bounds.oldest))
        if not sequence.is_timed:
            self._time(sequence)

    def _time(self, sequence: _Sequence[Job]) -> None:
        if len(self._ending) > 2 * len(self._open) + _MOST_CLOSED:
            self._ending = [one for one in self._ending if self._open.get(one[2].name) is one[2]]
            heapq.heapify(self._ending)
        self._serial += 1
        sequence.is_timed = True
        heapq.heappush(self._ending, (sequence.over, self._serial, sequence))

    def _sweep(self, now: float) -> None:
        """Close what is over."""
        for sequence in self._due(now):
            sequence.is_timed = False
            if self._open.get(sequence.name) is not sequence or sequence.is_busy:
                continue
            if sequence.over > now:
                self._time(sequence)
            else:
                self._close(sequence)

    def _due(self, now: float) -> Iterator[_Sequence[Job]]:
        while self._ending and self._ending[0][0] <= now:
            yield heapq.heappop(self._ending)[2]

    def _close(self, sequence: _Sequence[Job]) -> None:
        del self._open[sequence.name]
        if sequence.worker is not None:
            self._counts[sequence.worker] -= 1
