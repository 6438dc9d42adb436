"""Python's garbage collector looks at what stays once, and at what comes and goes each time."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from slipway.controller import garbage
from slipway.controller.garbage import LongCollections, Trimming

SECOND_ONES = {"generation": 2}


@contextmanager
def collector(*times: float) -> Iterator[Callable[[], None]]:
    """Yield what collects with the times that a clock shows at the begins and ends."""
    callback = LongCollections(iter(times).__next__)

    def collect() -> None:
        callback("start", SECOND_ONES)
        callback("stop", SECOND_ONES)

    gc.unfreeze()
    try:
        yield collect
    finally:
        gc.unfreeze()


def test_what_survived_a_long_collection_is_left_out_of_later_ones() -> None:
    with collector(0.0, 0.5) as collect:
        collect()
        assert gc.get_freeze_count() > 0


def test_a_short_collection_leaves_nothing_out() -> None:
    with collector(0.0, 0.001) as collect:
        collect()
        assert gc.get_freeze_count() == 0


def test_all_is_looked_at_again_after_many_long_collections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(garbage, "_THAW_AFTER", 3)
    with collector(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0) as collect:
        frozen = []
        for _ in range(4):
            collect()
            frozen.append(gc.get_freeze_count() > 0)
    assert frozen == [True, True, False, True]


def test_a_collection_of_young_objects_alone_counts_as_none() -> None:
    with collector() as _:
        LongCollections(iter(()).__next__)("start", {"generation": 1})
        assert gc.get_freeze_count() == 0


def test_the_collector_of_the_process_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    callbacks: list[object] = []
    monkeypatch.setattr(gc, "callbacks", callbacks)
    garbage.keep_collections_short()
    assert [type(one) for one in callbacks] == [LongCollections, Trimming]


def test_memory_is_given_back_after_full_collections_and_not_all_the_time() -> None:
    given: list[float] = []
    times = iter((0.0, 29.0, 30.0, 30.0, 59.0, 60.0, 60.0))
    trimming = Trimming(lambda: given.append(1.0), times.__next__)
    for generation in (2, 2, 1, 2, 2):
        trimming("start", {"generation": generation})
        trimming("stop", {"generation": generation})
    assert len(given) == 2


def test_the_c_library_of_this_machine_takes_back_memory() -> None:
    garbage.trim()
