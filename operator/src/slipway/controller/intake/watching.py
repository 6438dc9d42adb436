"""Watching our own kinds by kopf, and their children beside it."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import aiohttp

from slipway.controller.intake.kopf_handlers import (
    WATCH_SECONDS,
    Backoffs,
    make_registry,
    make_settings,
)
from slipway.controller.intake.kopf_runs import (
    AskAgain,
    ListingPace,
    Pages,
    WatchPace,
    keep_running,
    run_once,
)
from slipway.controller.intake.served import until_served
from slipway.controller.intake.sweeper import Sweeper, watched_paths
from slipway.controller.intake.watches import Intake
from slipway.controller.intake.worth_listing import (
    LISTED_BY_OWNERS,
    jobs_worth_listing,
    pods_worth_listing,
)
from slipway.kube.client import Client
from slipway.kube.connection import Connection, RequestObserver
from slipway.kube.resources import CHILD_SELECTOR, CHILDREN, JOBS, OWN, PODS, Resource
from slipway.kube.watched.watch import Parts, Skipped, Watch
from slipway.telemetry.health import WatchHealth

SPARE_CONNECTIONS = 4
"""Connections of a session beside those that its purpose needs at once."""
_OWNERS_WAIT_SECONDS = 30.0
"""How often a watch shows a sign of life while it waits until the owners are listed."""


def _waits() -> Iterator[float]:
    return iter(Backoffs())


@dataclass(frozen=True)
class Watching:
    """All watches of a replica; ``count_request`` and ``take_signals`` are the operator's."""

    namespaces: tuple[str, ...]
    intake: Intake
    health: WatchHealth
    count_request: RequestObserver
    take_signals: Callable[[], None]
    count_skipped: Skipped = lambda _: None

    async def run(self, connection: Connection, sweeper: Sweeper, stop: asyncio.Event) -> None:
        """Watch our own kinds by kopf, and their children beside it."""
        namespaces = self.namespaces

        def session(*outer: aiohttp.ClientMiddlewareType) -> aiohttp.ClientSession:
            watches = len(watched_paths(namespaces))
            return connection.session(watches + SPARE_CONNECTIONS, self._observer(sweeper), *outer)

        async with session() as own, asyncio.TaskGroup() as group:
            children = [
                group.create_task(
                    self._watch_children(
                        path,
                        Watch(
                            own,
                            connection.server,
                            place,
                            CHILD_SELECTOR,
                            WATCH_SECONDS,
                            self._parts(place),
                            self.count_skipped,
                        ),
                        sweeper,
                    )
                )
                for path, place in watched_paths(namespaces, CHILDREN).items()
            ]
            paces = ListingPace(_waits), WatchPace(_waits)
            outer = (*paces, Pages(), AskAgain(_waits))
            run = partial(self._run_kopf, connection, partial(session, *outer), stop)
            await keep_running(run, _waits, stop)
            for child in children:
                child.cancel()

    def _parts(self, place: tuple[Resource, str]) -> Parts | None:
        """Leave out the Jobs and pods of what has ended, where such are listed."""
        resource, namespace = place
        if resource in JOBS:
            return lambda: jobs_worth_listing(self.intake.unsettled(namespace))
        if resource in PODS:
            return lambda: pods_worth_listing(self.intake.going_on(namespace))
        return None

    async def _run_kopf(
        self,
        connection: Connection,
        session: Callable[[], aiohttp.ClientSession],
        stop: asyncio.Event,
    ) -> None:
        """Run kopf once our kinds are served: it looks for them but at its start."""
        client = Client(connection)
        if not await until_served(client, partial(self._show_life, OWN), stop):
            return
        registry = make_registry(self.intake, connection.server, session, self.take_signals)
        await run_once(registry, make_settings(), self.namespaces, stop)

    def _show_life(self, kinds: tuple[Resource, ...]) -> None:
        for path in watched_paths(self.namespaces, kinds):
            self.health.attempt(path)

    async def _watch_children(self, path: str, watch: Watch, sweeper: Sweeper) -> None:
        """Watch one collection; Jobs and pods after their owners, by which they are left out."""
        while path in watched_paths(self.namespaces, LISTED_BY_OWNERS):
            self.health.attempt(path)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_OWNERS_WAIT_SECONDS):
                    await self.intake.owners_listed.wait()
                break
        await watch.run(self.intake.seen, sweeper.listed)

    def _observer(self, sweeper: Sweeper) -> RequestObserver:
        own = watched_paths(self.namespaces, OWN)
        listing: set[str] = set()

        def observe(method: str, path: str, watch: bool, status: int) -> None:
            self.count_request(method, path, watch, status)
            self.health.attempt(path)
            answered = 200 <= status < 300
            if status == HTTPStatus.FORBIDDEN:
                self.intake.forbidden(path)
            elif answered:
                self.intake.answered(path)
            if answered:
                self.health.answer(path, listing=not watch)
            if answered and path in own and not watch:
                listing.add(path)
            elif watch and path in listing:
                # kopf asks for a watch, however that is answered, once it has listed all.
                listing.discard(path)
                sweeper.listed(path)

        return observe
