"""Watching our own kinds by kopf, and their children beside it."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import kopf

from slipway.controller.intake.kopf_handlers import WATCH_SECONDS, make_registry, make_settings
from slipway.controller.intake.sweeper import Sweeper, watched_paths
from slipway.controller.intake.watches import Intake
from slipway.kube.connection import Connection, RequestObserver
from slipway.kube.resources import CHILD_SELECTOR, CHILDREN, OWN, PODS
from slipway.kube.watched.watch import Watch
from slipway.telemetry.health import WatchHealth

SPARE_CONNECTIONS = 4
"""Connections of a session beside those that its purpose needs at once."""
_PODS_WAIT_SECONDS = 30.0
"""How often the watch of pods shows a sign of life while it waits for their owners."""


@dataclass(frozen=True)
class Watching:
    """All watches of a replica; ``count_request`` and ``take_signals`` are the operator's."""

    namespaces: tuple[str, ...]
    intake: Intake
    health: WatchHealth
    count_request: RequestObserver
    take_signals: Callable[[], None]

    async def run(self, connection: Connection, sweeper: Sweeper, stop: asyncio.Event) -> None:
        """Watch our own kinds by kopf, and their children beside it."""
        namespaces = self.namespaces

        def session() -> aiohttp.ClientSession:
            watches = len(watched_paths(namespaces))
            return connection.session(watches + SPARE_CONNECTIONS, self._observer(sweeper))

        async with session() as own, asyncio.TaskGroup() as group:
            children = [
                group.create_task(
                    self._watch_children(
                        path,
                        Watch(own, connection.server, place, CHILD_SELECTOR, WATCH_SECONDS),
                        sweeper,
                    )
                )
                for path, place in watched_paths(namespaces, CHILDREN).items()
            ]
            await kopf.operator(
                registry=make_registry(self.intake, connection.server, session, self.take_signals),
                settings=make_settings(),
                standalone=True,
                clusterwide=not namespaces,
                namespaces=namespaces,
                stop_flag=stop,
            )
            for child in children:
                child.cancel()

    async def _watch_children(self, path: str, watch: Watch, sweeper: Sweeper) -> None:
        """Watch one collection; pods only after their owners, as those of the ended are dropped."""
        while path in watched_paths(self.namespaces, PODS):
            self.health.attempt(path)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.intake.owners_listed.wait(), _PODS_WAIT_SECONDS)
                break
        await watch.run(self.intake.seen, sweeper.listed)

    def _observer(self, sweeper: Sweeper) -> RequestObserver:
        own = watched_paths(self.namespaces, OWN)
        listing: set[str] = set()

        def observe(method: str, path: str, watch: bool, status: int) -> None:
            self.count_request(method, path, watch, status)
            self.health.attempt(path)
            if 200 <= status < 300:
                self.health.answer(path, listing=not watch)
                if path in own and not watch:
                    listing.add(path)
                elif path in listing:
                    # kopf watches from where its listing ended.
                    listing.discard(path)
                    sweeper.listed(path)

        return observe
