"""Whatever comes, goes and dies: a sequence keeps its order, its worker and its bounds."""

import tracemalloc
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from slipway_server.stateful.sequences import (
    Bounds,
    SequenceFullError,
    SequenceLostError,
    Sequences,
    SequencesFullError,
)

NAMES = st.sampled_from("abcdefg")
WORKERS = st.integers(0, 2)


class Life(RuleBasedStateMachine):
    """Sequences beside a plain account of what was told to them."""

    def __init__(self, *, together: bool = False) -> None:
        super().__init__()
        self.bounds = Bounds(sequences=4, waiting=3, idle=10.0, oldest=60.0)
        self.sequences: Sequences[int] = Sequences(self.bounds, together=together)
        self.together = together
        self.now = 0.0
        self.number = 0
        self.workers: set[int] = set()
        self.waiting: dict[str, list[int]] = defaultdict(list)
        self.running: dict[str, list[int]] = defaultdict(list)
        self.home: dict[str, int] = {}
        self.rested: dict[str, float] = {}
        self.lost: set[str] = set()

    @rule(name=NAMES)
    def add(self, name: str) -> None:
        self.number += 1
        is_old = self.rested.get(name, self.now) + self.bounds.idle <= self.now
        try:
            self.sequences.add(name, self.number, self.now)
        except SequencesFullError:
            assert len(self.sequences) == self.bounds.sequences
            assert not self.waiting[name]
            assert not self.running[name]
        except SequenceFullError:
            assert len(self.waiting[name]) == self.bounds.waiting
        except SequenceLostError:
            assert name in self.lost
            self.forget(name)
        else:
            assert name not in self.lost or is_old, "it is told once"
            if not self.running[name] and not self.waiting[name] and is_old:
                self.forget(name)
            self.waiting[name].append(self.number)
            self.rested.pop(name, None)

    def forget(self, name: str) -> None:
        for told in (self.home, self.rested):
            told.pop(name, None)
        self.lost.discard(name)

    @rule(worker=WORKERS, most=st.integers(1, 3))
    def take(self, worker: int, most: int) -> None:
        if worker not in self.workers:
            return
        ready = self.sequences.ready(worker)
        taken = self.sequences.take(worker, most)
        assert len(taken) == min(ready, most)
        assert len({name for name, _ in taken}) == len(taken), "one of each sequence"
        for name, job in taken:
            assert self.waiting[name].pop(0) == job, "in the order of its sequence"
            assert self.together or not self.running[name], "one after the other"
            assert self.home.setdefault(name, worker) == worker, "it stays with its worker"
            self.running[name].append(job)

    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        if busy := sorted(name for name, jobs in self.running.items() if jobs):
            name = data.draw(st.sampled_from(busy))
            job = data.draw(st.sampled_from(self.running[name]))
            self.running[name].remove(job)
            self.sequences.finish(self.home[name], name, self.now)
            self.rest(name)

    def rest(self, name: str) -> None:
        if not self.running[name] and not self.waiting[name]:
            self.rested[name] = self.now

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        if self.home:
            name = data.draw(st.sampled_from(sorted(self.home)))
            self.sequences.end(self.home[name], name, self.now)
            if name in self.lost:
                return
            if not self.running[name] and not self.waiting[name]:
                self.forget(name)

    @rule(data=st.data())
    def leave_by_the_client(self, data: st.DataObject) -> None:
        if names := sorted(name for name, jobs in self.waiting.items() if jobs):
            name = data.draw(st.sampled_from(names))
            job = data.draw(st.sampled_from(self.waiting[name]))
            self.waiting[name].remove(job)
            self.sequences.drop(name, job, self.now)
            self.rest(name)

    @rule(worker=WORKERS)
    def join(self, worker: int) -> None:
        if worker not in self.workers:
            self.workers.add(worker)
            self.sequences.join(worker)

    @rule(worker=WORKERS)
    def die(self, worker: int) -> None:
        if worker not in self.workers:
            return
        self.workers.remove(worker)
        lost = self.sequences.leave(worker)
        told = []
        for name in [name for name, home in self.home.items() if home == worker]:
            told += self.waiting[name]
            if self.waiting[name] or self.running[name]:
                self.forget(name)
            else:
                self.lost.add(name)
                del self.home[name]
            self.waiting[name], self.running[name] = [], []
        assert sorted(lost) == sorted(told), "what waited for what the worker knew"

    @rule(seconds=st.sampled_from([0.5, 4.0, 11.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def bounds_hold(self) -> None:
        assert len(self.sequences) <= self.bounds.sequences
        assert self.sequences.waiting == sum(map(len, self.waiting.values()))
        assert max(map(len, self.waiting.values()), default=0) <= self.bounds.waiting

    @precondition(lambda self: bool(self.workers))
    @invariant()
    def whatever_may_be_given_has_its_turn(self) -> None:
        may = [
            name
            for name, jobs in self.waiting.items()
            if jobs and (self.together or not self.running[name])
        ]
        assert sum(self.sequences.ready(worker) for worker in self.workers) == len(may)


class LifeTogether(Life):
    """The same where requests of one sequence go on together."""

    def __init__(self) -> None:
        super().__init__(together=True)


TestLife = Life.TestCase
TestLifeTogether = LifeTogether.TestCase
for case in (TestLife, TestLifeTogether):
    case.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def opened(bounds: Bounds, **options: Any) -> Sequences[int]:
    sequences: Sequences[int] = Sequences(bounds, **options)
    sequences.join(0)
    return sequences


MANY = Bounds(sequences=1000, waiting=100, idle=10.0)


@given(
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=8),
    most=st.integers(1, 4),
    together=st.booleans(),
)
def test_no_sequence_is_passed_over_however_much_others_ask(
    counts: list[int], most: int, together: bool
) -> None:
    sequences = opened(MANY, together=together)
    left = {str(name): count for name, count in enumerate(counts)}
    for name, count in left.items():
        for number in range(count):
            sequences.add(name, number, 0.0)
    passed = dict.fromkeys(left, 0)
    while any(left.values()):
        taken = [name for name, _ in sequences.take(0, most)]
        for name, count in left.items():
            passed[name] = 0 if name in taken or not count else passed[name] + 1
            assert passed[name] < -(-len(counts) // most), "its turn comes within one round"
        for name in taken:
            left[name] -= 1
            sequences.finish(0, name, 0.0)


@given(st.integers(1, 5), st.integers(1, 50))
def test_workers_have_as_many_sequences_but_one(workers: int, count: int) -> None:
    sequences: Sequences[int] = Sequences(MANY)
    for worker in range(workers):
        sequences.join(worker)
    homes = [sequences.add(str(name), 0, 0.0) for name in range(count)]
    counts = [homes.count(worker) for worker in range(workers)]
    assert max(counts) - min(counts) <= 1


def test_a_sequence_is_over_when_it_has_been_idle_or_is_old_and_has_nothing_to_do() -> None:
    sequences = opened(Bounds(sequences=2, waiting=9, idle=10.0, oldest=25.0))
    for name in ("idle", "old"):
        sequences.add(name, 1, 0.0)
    sequences.take(0, 2)
    sequences.finish(0, "idle", 1.0)
    with pytest.raises(SequencesFullError):
        sequences.add("third", 1, 10.9)
    sequences.add("third", 1, 11.0)
    assert len(sequences) == 2
    with pytest.raises(SequencesFullError):
        sequences.add("fourth", 1, 1000.0)
    sequences.finish(0, "old", 1000.0)
    sequences.add("fourth", 1, 1000.0)
    assert sequences.worker_of("old") is None


def test_a_hundred_thousand_sequences_cost_each_other_nothing() -> None:
    count = 100_000
    sequences = opened(Bounds(sequences=count, waiting=1, idle=10.0))
    for name in range(count):
        sequences.add(str(name), name, 0.0)
    with pytest.raises(SequencesFullError):
        sequences.add("one more", 0, 0.0)
    taken = [job for _ in range(count // 100) for _, job in sequences.take(0, 100)]
    assert taken == list(range(count))
    for name in range(count):
        sequences.finish(0, str(name), 5.0)
    sequences.add("later", 0, 15.0)
    assert len(sequences) == 1


def test_sequences_that_have_ended_leave_nothing() -> None:
    sequences = opened(Bounds(sequences=10, waiting=1, idle=600.0))
    tracemalloc.start()
    for number in range(5_000):
        sequences.add(name := f"{number:0>200}", number, float(number) / 1000)
        sequences.take(0, 1)
        sequences.finish(0, name, float(number) / 1000)
        sequences.end(0, name, float(number) / 1000)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(sequences) == 0
    assert kept < 1 << 20
