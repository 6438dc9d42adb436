"""The kopf side: thin handlers and the settings. Nothing is stored on users' objects.

Only event handlers are registered: such an operator adds no finalizers and no annotations. Indices
would have kopf hold each object and a task for it until all of them are listed, and wake all these
tasks at each of them; `slipway.controller.intake.sweeper` tells when all is there.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import kopf
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory

from slipway.controller.intake.watches import Intake
from slipway.kube.resources import OWN

WATCH_SECONDS = 120
"""The API server ends each watch after so many seconds; it is begun again at once."""
LONGEST_SILENCE = 300.0
"""A watch that shows no sign of life for so many seconds is dead."""


@dataclass(frozen=True)
class Backoffs:
    """Waits between attempts of kopf's own requests: they never give up, up to 30 s apart."""

    first: float = 1.0
    longest: float = 30.0

    def __iter__(self) -> Iterator[float]:
        wait = self.first
        while True:
            yield wait
            wait = min(wait * 2, self.longest)


class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps nothing of objects, and copies nothing of them at each event."""

    def build(self, **_: Any) -> Any:
        """Return an empty essence: nobody asks for differences."""
        return {}

    def fetch(self, **_: Any) -> None:
        """Return nothing."""

    def store(self, **_: Any) -> None:
        """Store nothing."""


class NoProgress(kopf.ProgressStorage):
    """Keeps no progress of handlers: those for events have none."""

    def fetch(self, **_: Any) -> None:
        """Return nothing."""

    def store(self, **_: Any) -> None:
        """Store nothing."""

    def purge(self, **_: Any) -> None:
        """Remove nothing."""

    def touch(self, **_: Any) -> None:
        """Change nothing."""

    def clear(self, *, essence: Any) -> Any:
        """Return an essence as it is, since nothing was ever put into it."""
        return essence


class NoMemories(ResourceMemories):
    """Remembers no object beyond its event: there are no daemons and no handlers to resume.

    kopf forgets an object at the event of its deletion alone, which a watch may miss.
    """

    async def recall(
        self,
        raw_body: Any,
        *,
        memobase: Any = None,
        noticed_by_listing: bool = False,
        ephemeral: bool = True,
    ) -> ResourceMemory:
        """Return a new memory for one event."""
        return await super().recall(
            raw_body, memobase=memobase, noticed_by_listing=noticed_by_listing, ephemeral=True
        )


def make_settings() -> kopf.OperatorSettings:
    """Return kopf's settings.

    kopf would kill the process so many seconds after it has failed, whatever else runs in it.
    """
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.posting.level = logging.WARNING
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.process.ultimate_exiting_timeout = None
    settings.queueing.exit_timeout = 0.5
    settings.queueing.idle_timeout = 0.1
    settings.execution.default_backoff = 5
    settings.watching.server_timeout = WATCH_SECONDS
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = 100
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = Backoffs()
    return settings


def make_registry(
    intake: Intake,
    server: str,
    make_session: Callable[[], aiohttp.ClientSession],
    started: Callable[[], None],
) -> kopf.OperatorRegistry:
    """Return kopf's handlers, which feed ``intake``.

    ``make_session`` gives authorised sessions for requests to ``server``; kopf closes them.
    ``started`` is called when kopf starts.
    """
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry)
    async def startup(**_: Any) -> None:
        started()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> Any:
        return kopf.AiohttpSession(server=server, aiohttp_session=make_session())

    async def event(event: Mapping[str, Any], **_: Any) -> None:
        intake.seen(event["type"], event["object"])

    for resource in OWN:
        place = (resource.group, resource.version, resource.plural)
        name = f"{resource.plural}.{resource.group}"
        kopf.on.event(*place, id=f"watch-{name}", registry=registry)(event)
    return registry
