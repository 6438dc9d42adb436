"""Resolving the names of users' own Services, and of nothing that only looks like one.

A Service of type ExternalName is a CNAME to wherever its author wants, and a headless one has the
addresses of its endpoints: what a name leads to is looked at where the connection is made.
"""

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

_METADATA = frozenset(map(ip_address, ("168.63.129.16", "100.100.100.200", "fd00:ec2::254")))
"""Metadata services of clouds that are not link-local addresses."""
_MOST_THREADS = 64
_EACH = 4
"""How many names of one namespace are looked up at a time. A thread that looks one up goes on when
nobody waits any more: an ExternalName to a name server that is silent holds it for half a minute.
"""
_Found = list[tuple[socket.AddressFamily, str, str]]
"""Of each address of a name: its family, the name's canonical one where it is told, and itself."""


def is_forbidden(text: str, others: Iterable[str] = ()) -> bool:
    """Tell whether an IP address is none that a Service of a user leads to.

    These are the operator's own host and its links, the clouds' metadata services, what is no
    host's address at all, and ``others``.
    """
    address = _plain(text)
    special = (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
    )
    return special or address in _METADATA or address in map(_plain, others)


def _plain(text: str) -> IPv4Address | IPv6Address:
    """Return an address without its zone; one of IPv4 within IPv6 as that of IPv4."""
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _namespace(host: str) -> str:
    """Return the namespace in the name of a Service."""
    return host.partition(".")[2].partition(".")[0]


class ServiceResolver(AbstractResolver):
    """Resolves names in threads of its own; ``trusted`` ones without asking what they lead to.

    ``forbidden`` are IP addresses that no other name may lead to, such as the API server's.
    """

    def __init__(self, trusted: Iterable[str] = (), forbidden: Iterable[str] = ()) -> None:
        self._trusted = frozenset(trusted)
        self._forbidden = frozenset(forbidden)
        self._threads = ThreadPoolExecutor(_MOST_THREADS, "resolver")
        self._asked: dict[tuple[str, socket.AddressFamily], asyncio.Future[_Found]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return a name's addresses; raises OSError where there are none, or one is forbidden.

        It does too while too many names of the same namespace are looked up.
        """
        asked = self._asked.get((host, family)) or self._ask(host, family)
        answers = await asyncio.shield(asked)
        if host not in self._trusted:
            self._check(host, answers[0][1], [address for _, _, address in answers])
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, address in answers
        ]

    def _ask(self, host: str, family: socket.AddressFamily) -> "asyncio.Future[_Found]":
        """Begin to look a name up, unless its namespace has its share of the threads."""
        namespace = _namespace(host)
        names = (name for name, _ in self._asked if name not in self._trusted)
        if host not in self._trusted and sum(_namespace(n) == namespace for n in names) >= _EACH:
            raise OSError(f"to look up the names of namespace {namespace} takes long")

        def ask() -> _Found:
            flags = socket.AI_CANONNAME | socket.AI_ADDRCONFIG
            found = socket.getaddrinfo(host, 0, family, socket.SOCK_STREAM, flags=flags)
            return [(each[0], each[3], str(each[4][0])) for each in found]

        asked = asyncio.get_running_loop().run_in_executor(self._threads, ask)
        self._asked[host, family] = asked
        asked.add_done_callback(lambda _: self._asked.pop((host, family), None))
        return asked

    def _check(self, host: str, canonical: str, addresses: list[str]) -> None:
        if not f"{canonical.lower().rstrip('.')}.".startswith(f"{host}."):
            raise OSError(f"{host} is another name of {canonical}: name a Service with pods")
        for address in addresses:
            if is_forbidden(address, self._forbidden):
                raise OSError(f"{host} leads to {address}, which is no pod's or Service's address")

    async def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
