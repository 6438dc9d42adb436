"""The work queue: nothing is lost, nothing runs twice at a time, and waiting is bounded."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.controller.loop import work_queue as module
from slipway.controller.loop.work_queue import WorkQueue, backoff


async def take(queue: WorkQueue[str]) -> str:
    return await asyncio.wait_for(queue.get(), 60)


async def test_a_key_that_is_added_twice_runs_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.add("a")
    assert await take(queue) == "a"
    assert len(queue) == 0
    assert queue.waiting == 0


async def test_a_key_added_while_it_is_worked_on_runs_again_afterwards_and_not_before() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await take(queue)
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await take(queue) == "a"


async def test_it_is_quiet_while_no_key_is_ready_or_worked_on() -> None:
    queue: WorkQueue[str] = WorkQueue()
    await asyncio.wait_for(queue.quiet(0), 60)
    queue.add("a")
    queue.add("later", 3600)
    waiting = asyncio.create_task(queue.quiet(0))
    key = await take(queue)
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.done(key)
    await asyncio.wait_for(waiting, 60)


async def test_an_earlier_time_wins_over_a_later_one() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a", 3600)
    queue.add("a", 0)
    queue.add("a", 3600)
    assert await take(queue) == "a"
    queue.done("a")
    assert queue.waiting == 0


async def test_a_revisit_does_not_put_off_what_was_added_meanwhile() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await take(queue)
    queue.add("a", 0)
    queue.done("a", after=3600)
    assert await take(queue) == "a"


async def test_what_one_namespace_changes_delays_no_key_of_another() -> None:
    queue: WorkQueue[str] = WorkQueue(lane_of=lambda key: key.partition("/")[0])
    for number in range(5000):
        queue.add(f"flood/{number}")
    queue.add("victim/job")
    first = [await take(queue) for _ in range(2)]
    assert "victim/job" in first
    queue.done("victim/job")
    queue.add("victim/job")
    assert "victim/job" in [await take(queue) for _ in range(2)]


async def test_keys_come_when_their_time_has_come_in_its_order() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key, after in (("late", 0.03), ("soon", 0.01), ("now", 0.0)):
        queue.add(key, after)
    assert [await take(queue) for _ in range(3)] == ["now", "soon", "late"]


async def test_failures_in_a_row_wait_longer_and_success_forgets_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_FIRST_BACKOFF", 0.001)
    queue: WorkQueue[str] = WorkQueue()
    waits = []
    queue.add("a")
    for _ in range(4):
        await take(queue)
        waits.append(queue.retry("a"))
    assert waits == sorted(waits)
    assert waits[-1] >= 4 * waits[0] / 2
    assert queue.failures("a") == 4
    await take(queue)
    queue.done("a")
    assert queue.failures("a") == 0


async def test_one_that_is_woken_in_its_back_off_has_not_failed_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_FIRST_BACKOFF", 300.0)
    queue: WorkQueue[str] = WorkQueue()
    waits = []
    for _ in range(50):
        queue.add("a")
        await take(queue)
        waits.append(queue.retry("a"))
    assert queue.failures("a") == 1
    assert waits == sorted(waits, reverse=True)
    queue.forgive("a")
    assert queue.failures("a") == 0


async def test_what_was_changed_comes_before_what_is_looked_at_again() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for number in range(1000):
        queue.add(f"old-{number}", background=True)
    queue.add("new")
    assert await take(queue) == "new"
    queue.add("old-500")
    assert await take(queue) == "old-500"


async def test_what_is_looked_at_again_has_its_turn_beside_what_changes_without_end() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("old", background=True)
    for number in range(50):
        queue.add(f"new-{number}")
    assert "old" in [await take(queue) for _ in range(9)]


@pytest.mark.parametrize("first", [True, False])
async def test_a_key_that_is_added_both_ways_is_urgent_and_runs_once(first: bool) -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("old", background=True)
    queue.add("both", background=first)
    queue.add("both", background=not first)
    assert [await take(queue), await take(queue)] == ["both", "old"]
    assert len(queue) == 0


async def test_what_is_added_while_it_is_worked_on_keeps_its_sort() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in "ab":
        queue.add(key)
        await take(queue)
        queue.add(key, background=key == "a")
    queue.done("a", 600, background=True)
    queue.done("b", 600, background=True)
    assert [await take(queue), await take(queue)] == ["b", "a"]


async def test_only_what_is_urgent_counts_as_having_waited() -> None:
    waits: list[float] = []
    queue: WorkQueue[str] = WorkQueue(waits.append)
    queue.add("old", background=True)
    queue.add("new")
    for _ in range(2):
        queue.done(await take(queue))
    assert len(waits) == 1


async def test_a_retry_waits_at_least_as_long_as_the_server_asks_for() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await take(queue)
    assert queue.retry("a", at_least=42.0) == 42.0


async def test_a_cancelled_worker_loses_no_key() -> None:
    queue: WorkQueue[str] = WorkQueue()
    first = asyncio.create_task(queue.get())
    second = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    assert await asyncio.wait_for(second, 60) == "a"


async def test_planned_revisits_that_are_overtaken_do_not_pile_up() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for _ in range(1000):
        queue.add("a", 3600)
        queue.add("a", 0)
        await take(queue)
        queue.done("a")
    assert len(queue._heap) < 200


@given(st.integers(min_value=1, max_value=10_000))
def test_backoff_doubles_up_to_five_minutes(failures: int) -> None:
    shortest, longest = backoff(failures, lambda: 0.0), backoff(failures, lambda: 1.0)
    assert longest == min(2.0 ** min(failures - 1, 16), 300.0)
    assert shortest == longest / 2


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from([0.0, 0.0, 0.001]),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(OPERATIONS, st.integers(min_value=1, max_value=4), st.randoms(use_true_random=False))
def test_every_added_key_is_worked_on_after_its_last_add_and_never_by_two(
    operations: list[tuple[str, float, bool, bool]], workers: int, chance: random.Random
) -> None:
    asyncio.run(_race(operations, workers, chance))


async def _race(
    operations: list[tuple[str, float, bool, bool]], workers: int, chance: random.Random
) -> None:
    queue: WorkQueue[str] = WorkQueue()
    active: set[str] = set()
    pending: set[str] = set()

    async def work() -> None:
        while True:
            key = await queue.get()
            assert key not in active, "two workers have the same key"
            active.add(key)
            pending.discard(key)
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
            active.discard(key)
            queue.done(key)

    tasks = [asyncio.create_task(work()) for _ in range(workers)]
    for key, after, give_way, background in operations:
        pending.add(key)
        queue.add(key, after, background=background)
        if give_way:
            await asyncio.sleep(0)
    async with asyncio.timeout(120):
        while pending or active or len(queue) or queue.waiting or queue.active:
            await asyncio.sleep(0)
            for task in tasks:
                if task.done():
                    task.result()
    for task in tasks:
        task.cancel()


@pytest.mark.parametrize("count", [0, 3])
async def test_the_depth_counts_what_could_be_worked_on_now(count: int) -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("later", 3600)
    for number in range(count):
        queue.add(str(number))
    assert (len(queue), queue.waiting) == (count, 1)


async def test_of_a_slow_lane_so_many_keys_are_at_work_until_it_has_been_quick_for_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue: WorkQueue[str] = WorkQueue(lane_of=lambda key: key[0], beside=1)
    for key in ("a1", "a2", "a3", "a4"):
        queue.add(key)
    first, second = await take(queue), await take(queue)
    queue.slow(first)
    third = asyncio.create_task(queue.get())
    queue.add("b1")
    assert await asyncio.wait_for(third, 60) == "b1"
    waits = asyncio.create_task(queue.get())
    queue.done(second)
    await asyncio.sleep(0)
    assert not waits.done()
    monkeypatch.setattr(module, "_SLOW_AFTER_SECONDS", 0.0)
    queue.done(first)
    assert await asyncio.wait_for(waits, 60) == "a3"
    assert await take(queue) == "a4"
