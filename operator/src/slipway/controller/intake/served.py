"""Waiting until the API server knows the kinds that users write: somebody may take them away."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Protocol

from slipway.kube.errors import KubeError, NotFound
from slipway.kube.resources import OWN
from slipway.plan import Manifest

_LOG = logging.getLogger(__name__)
_PAUSE_SECONDS = 5.0


class Requests(Protocol):
    """Sends one request to the API server."""

    async def request(self, method: str, path: str) -> Manifest:
        """Return the answer's JSON; raises a ``KubeError``."""


async def until_served(client: Requests, alive: Callable[[], None], stop: asyncio.Event) -> bool:
    """Wait until all of our own kinds are served; False where ``stop`` is set before.

    ``alive`` is called at each look: who waits is not dead.
    """
    while not stop.is_set():
        alive()
        try:
            missing = await _missing(client)
        except KubeError as error:
            _LOG.warning("Waiting for the API server: %s", error)
        else:
            if not missing:
                return True
            _LOG.warning(
                "The cluster lacks Slipway's CRDs of %s: apply what `slipway crds` prints",
                ", ".join(missing),
            )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PAUSE_SECONDS):
                await stop.wait()
    return False


async def _missing(client: Requests) -> list[str]:
    """Return those of our own kinds that are not served."""
    try:
        found = await client.request("get", f"/apis/{OWN[0].api_version}")
    except NotFound:
        found = {}
    served = {one.get("name") for one in found.get("resources") or ()}
    return [one.plural for one in OWN if one.plural not in served]
