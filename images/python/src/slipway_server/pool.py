"""The workers of a model: one slot each, all forked from one process."""

import asyncio

from slipway_server.forks import GivenUp, Zygote
from slipway_server.metrics import Metrics
from slipway_server.queue import JobQueue
from slipway_server.slots import Plan, Slot

__all__ = ["GivenUp", "Plan", "Pool"]


class Pool:
    """All workers of a model."""

    def __init__(self, plan: Plan, queue: JobQueue, metrics: Metrics) -> None:
        self._zygote = Zygote()
        self.slots = [
            Slot(number, plan, self._zygote, queue, metrics) for number in range(plan.workers)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_ready(self) -> bool:
        """Whether every worker has loaded the model."""
        return all(slot.is_ready for slot in self.slots)

    async def run(self) -> None:
        """Keep the workers until this is cancelled; raises ``GivenUp``."""
        await self._zygote.start()
        self._tasks = [asyncio.create_task(slot.run()) for slot in self.slots]
        try:
            await asyncio.gather(*self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._zygote.stop()
