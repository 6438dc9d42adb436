"""Turns are bounded, and fair among tenants."""

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.controller.readers.asking.turns import Turns


class Work:
    """Counts whose turns are under way, and in which order they came."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.now: Counter[str] = Counter()
        self.order: list[str] = []
        self.most: Counter[str] = Counter()
        self.most_in_all = 0

    async def take(self, tenant: str, steps: int = 1) -> None:
        async with self.turns.turn(tenant):
            self.now[tenant] += 1
            self.order.append(tenant)
            self.most |= self.now
            self.most_in_all = max(self.most_in_all, self.now.total())
            try:
                for _ in range(steps):
                    await asyncio.sleep(0)
            finally:
                self.now[tenant] -= 1


async def until(condition: asyncio.Event) -> None:
    async with asyncio.timeout(120):
        await condition.wait()


async def test_a_tenant_whose_targets_are_silent_leaves_turns_to_all_others() -> None:
    turns, silent, answered = Turns(4, 2), asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with turns.turn("silent"):
            await silent.wait()

    held = [asyncio.create_task(hold()) for _ in range(50)]
    await asyncio.sleep(0)
    async with turns.turn("other"), turns.turn("other"):
        answered.set()
    await until(answered)
    silent.set()
    await asyncio.gather(*held)


async def test_free_turns_go_round_among_the_tenants_that_wait() -> None:
    work = Work(Turns(1, 1))
    tasks = [work.take("many") for _ in range(20)] + [work.take("few"), work.take("one")]
    await asyncio.gather(*tasks)
    assert set(work.order[:4]) == {"many", "few", "one"}


@settings(max_examples=50, deadline=None)
@given(
    in_all=st.integers(1, 5),
    each=st.integers(1, 3),
    wanted=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 5)), max_size=30),
    cancelled=st.sets(st.integers(0, 29)),
)
def test_bounds_hold_and_no_turn_is_lost_whoever_gives_up(
    in_all: int, each: int, wanted: list[tuple[str, int]], cancelled: set[int]
) -> None:
    async def run() -> None:
        work = Work(Turns(in_all, each))
        tasks = [asyncio.create_task(work.take(*one)) for one in wanted]
        await asyncio.sleep(0)
        for index in cancelled & set(range(len(tasks))):
            tasks[index].cancel()
        async with asyncio.timeout(120):
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(work.take(tenant) for tenant in "abcd" * each))
        assert work.most_in_all <= in_all
        assert all(count <= each for count in work.most.values())

    asyncio.run(run())
