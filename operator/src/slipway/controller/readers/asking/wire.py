"""What comes over the wire before an answer's body, so that it holds nothing else up.

aiohttp bounds each line of a head and their number, but takes any number of informational answers
(RFC 9110, section 15.2), and takes in at once whatever has come: 256 KiB of such answers, or of
chunks of one byte, hold the event loop for a tenth of a second.
"""

import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

_RECEIVED_BYTES = 1 << 14
"""How much of an answer the kernel takes in ahead of the operator."""
_MOST_INFORMATIONAL = 8
"""So many informational answers may come before the one that counts."""


def connector(resolver: AbstractResolver | None) -> aiohttp.TCPConnector:
    """Return what connects anew for each question, and takes in little at a time."""
    return aiohttp.TCPConnector(
        limit=0,
        force_close=True,
        use_dns_cache=False,
        resolver=resolver,
        socket_factory=_socket,
    )


def _socket(address: Any) -> socket.socket:
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED_BYTES)
    return made


class SoonFinal(aiohttp.ClientResponse):
    """An answer that is announced a few times at most, on a connection of its own."""

    async def start(self, connection: Any) -> "SoonFinal":
        """Take in the head of the answer."""
        protocol, left = connection.protocol, _MOST_INFORMATIONAL
        read = protocol.read

        async def counted() -> Any:
            nonlocal left
            message, payload = await read()
            left -= message.code < 200
            if left < 0:
                raise aiohttp.ClientPayloadError("it only announces an answer")
            return message, payload

        protocol.read = counted
        await super().start(connection)
        return self
