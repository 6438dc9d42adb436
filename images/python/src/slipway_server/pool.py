"""The workers of a model: how one is made, and one slot for each."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial

from slipway_server.deaths import Deaths
from slipway_server.forks import Child, GivenUp, Parent, Zygote
from slipway_server.metrics import Metrics
from slipway_server.plan import Plan
from slipway_server.services import Service
from slipway_server.slots import CannotLoad, Slot

_LOG = logging.getLogger(__name__)
_MOST_TEXT = 8192
"""How many characters of a worker's traceback are told."""


class Nursery:
    """Makes workers that have loaded the model, which they share where that is safe."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._zygote = Zygote()
        self._is_shared = plan.is_shared
        self._loaded: Child | None = None
        self._parent: Parent | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Start the process that all are forked from."""
        await self._zygote.start()

    async def stop(self) -> None:
        """End all processes."""
        if self._parent is not None:
            self._parent.close()
        await self._zygote.stop()

    async def make(self, number: int) -> Child:
        """Return the worker with a number once it is ready.

        Raises ``CannotLoad``, or ``GivenUp`` with no zygote.
        """
        if self._is_shared:
            async with self._turn:
                if self._is_shared and (child := await self._share(number)) is not None:
                    return child
        return await self._load({**self._plan.told, "share": False, "number": number})

    async def _share(self, number: int) -> Child | None:
        """Return a worker with the shared model, or the one that found that it cannot be shared."""
        if self._parent is None or self._parent.is_gone:
            child = await self._load({**self._plan.told, "share": True, "number": number})
            if not self._is_shared:
                return child
            self._loaded, self._parent = child, child.as_parent()
        try:
            child = await self._parent.fork(self._plan.bounds)
        except GivenUp:
            raise CannotLoad("The process that has loaded the model ended.") from None
        await self._ready(child)
        return child

    async def _load(self, told: dict[str, object]) -> Child:
        child = await self._zygote.fork(self._plan.bounds)
        await child.send(told)
        said = await self._ready(child)
        if told["share"] and not said.get("shared"):
            self._is_shared = False
            if self._plan.workers > 1:
                _LOG.info("Each worker loads the model for itself: %s.", said.get("why"))
        return child

    async def _ready(self, child: Child) -> dict[str, object]:
        """Wait until a worker says that it is ready; else end it, and raise ``CannotLoad``."""
        seconds = self._plan.startup_timeout
        reading = asyncio.ensure_future(child.frame())
        try:
            await asyncio.wait({reading}, timeout=seconds)
        except asyncio.CancelledError:
            reading.cancel()
            raise
        said = reading.result() if reading.done() else None
        if said is not None and said.kind == "ready":
            return said.head
        why = f"It did not load within {seconds:.0f} s." if not reading.done() else ""
        reading.cancel()
        how = await child.end()
        text = str(said.head.get("text", ""))[:_MOST_TEXT] if said is not None else ""
        raise CannotLoad(text or why or how)


class Pool:
    """All workers of a model."""

    def __init__(
        self, plan: Plan, serve: Callable[[int, Child], Service], metrics: Metrics
    ) -> None:
        self._nursery = Nursery(plan)
        self.deaths = Deaths()
        self.slots = [
            Slot(
                number,
                partial(self._nursery.make, number),
                partial(serve, number),
                metrics,
                self.deaths,
            )
            for number in range(plan.workers)
        ]

    @property
    def is_ready(self) -> bool:
        """Whether every worker has loaded the model."""
        return all(slot.is_ready for slot in self.slots)

    async def until_loaded(self) -> None:
        """Wait until each worker has loaded the model once."""
        for slot in self.slots:
            await slot.has_loaded.wait()

    def _is_none_ready(self) -> bool:
        return not any(slot.is_ready for slot in self.slots)

    async def run(self) -> None:
        """Keep the workers until this is cancelled; raises ``GivenUp``."""
        await self._nursery.start()
        tasks = [asyncio.create_task(slot.run(self._is_none_ready)) for slot in self.slots]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            stopping = asyncio.ensure_future(self._nursery.stop())
            await asyncio.wait({*tasks, stopping})
            with contextlib.suppress(Exception):
                await stopping
