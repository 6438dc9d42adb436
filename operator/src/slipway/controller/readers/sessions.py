"""HTTP to pods and to what users name: a session that is opened when first needed."""

import asyncio

import aiohttp


class LazySession:
    """A session with its own limits, whose connections end with each answer.

    ``limit`` is how many requests are under way at most; ``buffer`` how many bytes are read ahead.
    """

    def __init__(self, timeout: aiohttp.ClientTimeout, limit: int, buffer: int = 1 << 16) -> None:
        self._timeout = timeout
        self._limit = limit
        self._buffer = buffer
        self._session: aiohttp.ClientSession | None = None

    def get(self) -> aiohttp.ClientSession:
        """Return the session, opened if need be; only where an event loop runs."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._limit, force_close=True)
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, connector=connector, read_bufsize=self._buffer
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)


def pod_url(address: str, port: int) -> str:
    """Return the URL of a pod's port by the pod's IP address, whichever family it is of."""
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"
