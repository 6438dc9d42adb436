"""A steady, bounded load on a served model, and the account of its answers."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Account:
    """How requests ended: HTTP status codes as text, or the name of the error."""

    endings: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """The number of requests that ended."""
        return sum(self.endings.values())

    @property
    def lost(self) -> dict[str, int]:
        """What ended otherwise than with 200."""
        return {ending: count for ending, count in self.endings.items() if ending != "200"}


async def _one(client: httpx.AsyncClient, url: str, body: Any, account: Account) -> None:
    try:
        answer = await client.post(url, json=body)
        account.endings[str(answer.status_code)] += 1
    except httpx.HTTPError as error:
        account.endings[f"{type(error).__name__}: {error}"] += 1


async def _run(
    url: str, body: Any, rate: float, longest: float, stop: threading.Event, account: Account
) -> None:
    begin = time.monotonic()
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client, asyncio.TaskGroup() as group:
        sent = 0
        while not stop.is_set() and time.monotonic() - begin < longest:
            group.create_task(_one(client, url, body, account))
            sent += 1
            await asyncio.sleep(max(0.0, begin + sent / rate - time.monotonic()))
    account.seconds = time.monotonic() - begin


@contextmanager
def steady_load(url: str, body: Any, rate: float, longest: float = 600) -> Iterator[Account]:
    """Send ``rate`` requests a second until the block ends, for ``longest`` seconds at most.

    Requests leave on time whether or not earlier ones were answered (an open loop). The account
    is complete when the block has ended.
    """
    account, stop = Account(), threading.Event()
    work = _run(url, body, rate, longest, stop, account)
    thread = threading.Thread(target=lambda: asyncio.run(work))
    thread.start()
    try:
        yield account
    finally:
        stop.set()
        thread.join(timeout=120)
