"""TCP ports for servers that tests start on loopback."""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from itertools import cycle

_FIRST, _COUNT = 20_000, 2_000
"""Where the ports of the first worker begin, and how many each has.

They are not of those that the kernel gives to clients (net.ipv4.ip_local_port_range), which come
and go between the look at a port and its use.
"""


def free_ports(count: int) -> list[int]:
    """Return as many different ports that nobody uses at present; each worker has its own.

    A port that was given is not given again before all others were: who asked for it may not
    listen on it yet.
    """
    return [next(port for port in _candidates() if _is_free(port)) for _ in range(count)]


def free_port() -> int:
    """Return a port that nobody uses at present."""
    (port,) = free_ports(1)
    return port


@cache
def _candidates() -> Iterator[int]:
    """Return this worker's ports without an end, in an order of chance that repeats itself."""
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    first = _FIRST + _COUNT * (int(number) % 6)
    return cycle(random.sample(range(first, first + _COUNT), _COUNT))


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as one:
        try:
            one.bind(("", port))
        except OSError:
            return False
        return True
