"""Questions: nobody waits for them, and what is known is told with its age."""

import asyncio
import math
from collections.abc import Awaitable, Callable

from slipway.controller.readers.asking.bounded import UnansweredError
from slipway.controller.readers.asking.questions import Newest, Questions


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Address:
    """Answers with numbers as they are given, and tells when an answer was taken."""

    def __init__(self, questions: Questions[int]) -> None:
        self._questions = questions
        self.answers: asyncio.Queue[int | None] = asyncio.Queue()
        self.asked = 0
        self.told = 0

    async def _ask(self, _before: int | None) -> int:
        self.asked += 1
        answer = await self.answers.get()
        self.answers.task_done()
        if answer is None:
            raise UnansweredError("it is silent")
        return answer

    def _tell(self) -> None:
        self.told += 1

    def read(self) -> Newest[int]:
        return self._questions.read("key", self._ask, self._tell)

    async def answer(self, value: int | None) -> None:
        """Let the question that is under way be answered, or fail, and wait for that."""
        self.answers.put_nowait(value)
        await self.answers.join()
        await asyncio.sleep(0)


Scene = Callable[[Address, Clock], Awaitable[None]]


async def play(scene: Scene) -> None:
    clock = Clock()
    questions: Questions[int] = Questions(10.0, clock)
    async with asyncio.timeout(120):
        await scene(Address(questions), clock)
        await questions.close()


async def test_a_read_does_not_wait_and_the_reader_is_told_of_news_alone() -> None:
    async def scene(address: Address, clock: Clock) -> None:
        assert address.read() == Newest(None, math.inf, 0.0, "")
        await address.answer(7)
        assert (address.read().value, address.told) == (7, 1)
        clock.now = 110.0
        address.read()
        await address.answer(7)
        assert (address.told, address.asked) == (1, 2)

    await play(scene)


async def test_the_age_counts_from_the_question_that_was_answered_last() -> None:
    async def scene(address: Address, clock: Clock) -> None:
        address.read()
        clock.now = 101.0
        await address.answer(7)
        assert address.read() == Newest(7, 1.0)
        for clock.now in (111.0, 122.0):
            address.read()
            await address.answer(None)
        assert address.read() == Newest(7, 22.0, 11.0, "it is silent")
        clock.now = 135.0
        address.read()
        await address.answer(8)
        assert address.read() == Newest(8, 0.0)

    await play(scene)


async def test_an_address_is_asked_once_at_a_time_and_once_in_the_interval() -> None:
    async def scene(address: Address, clock: Clock) -> None:
        for clock.now in (100.0, 115.0, 130.0):
            address.read()
            await asyncio.sleep(0)
        assert address.asked == 1
        await address.answer(1)
        for clock.now in (130.0, 131.0):
            address.read()
            await asyncio.sleep(0)
        assert address.asked == 2

    await play(scene)


async def test_a_read_has_the_next_question_asked_when_it_is_due() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    asked = 0

    async def ask(_: int | None) -> int:
        nonlocal asked
        asked += 1
        return asked

    def tell() -> None:
        (first if asked == 1 else second).set()

    questions: Questions[int] = Questions(0.05)
    questions.read("key", ask, tell)
    async with asyncio.timeout(120):
        await first.wait()
        questions.read("key", ask, tell)
        await second.wait()
    await questions.close()


async def test_what_is_forgotten_is_not_asked_again() -> None:
    async def scene(address: Address, _: Clock) -> None:
        address.read()
        await address.answer(7)
        address.read()
        address._questions.forget("key")
        assert address.read().value is None

    await play(scene)


async def test_an_error_of_the_operators_own_ends_nothing() -> None:
    async def broken(_: int | None) -> int:
        raise RuntimeError("a bug")

    clock = Clock()
    questions: Questions[int] = Questions(10.0, clock)
    questions.read("key", broken, lambda: None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert questions.read("key", broken, lambda: None).error == "a bug"
    await questions.close()
