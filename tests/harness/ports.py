"""TCP ports for servers that tests start on loopback."""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from itertools import cycle

_FIRST, _COUNT, _SHARES = 20_000, 1_000, 12
"""Where the ports of the first share begin, how many each has, and how many shares there are.

They are not of those that the kernel gives to clients (net.ipv4.ip_local_port_range), which come
and go between the look at a port and its use.
"""
_held: list[socket.socket] = []
"""What holds this process' share."""


def free_ports(count: int) -> list[int]:
    """Return as many different ports that nobody uses at present; each process has its own.

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
    """Return this process' ports without an end, in an order of chance that repeats itself."""
    first = _FIRST + _COUNT * _share()
    return cycle(random.sample(range(first, first + _COUNT), _COUNT))


def _share() -> int:
    """Return a share that no other process has, be it of this run of tests or of one beside it.

    It is this process' until that ends. Where all are taken, two have that of the same worker.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    shares = ((number + step) % _SHARES for step in range(_SHARES))
    return next((share for share in shares if _take(share)), number % _SHARES)


def _take(share: int) -> bool:
    """Hold a share's name until this process ends; tell whether no other one does.

    The name is of an abstract socket: all processes that share a network's ports share those, too.
    """
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0slipway-ports-{share}")
    except OSError:
        holder.close()
        return False
    _held.append(holder)
    return True


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as one:
        try:
            one.bind(("", port))
        except OSError:
            return False
        return True
