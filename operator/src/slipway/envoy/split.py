"""How the users' requests are shared out between a pod's own server and the other slot."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Condition:
    """What one header, or one cookie, of a request must be.

    At most one of ``exact``, ``prefix`` and ``regex`` (RE2, the whole value) is set; with none it
    is enough that the header or cookie is there. Header names are compared without case.
    """

    name: str
    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None
    cookie: bool = False


Match = tuple[Condition, ...]
"""Conditions that must all hold of a request."""


@dataclass(frozen=True)
class Sticky:
    """By what a user is known again: a cookie that Envoy sets where there is none, or a header.

    Exactly one of the two is set. ``seconds`` is how long the cookie lives. A user's share is a
    hash of the value, the same in every pod: while the weight grows nobody is sent back.
    """

    cookie: str | None = None
    header: str | None = None
    seconds: int = 86_400


@dataclass(frozen=True)
class Split:
    """Which requests go to the other slot; without a ``target`` none do.

    ``target`` is the address of the other slot's Service as ``IP:PORT`` (``[IP]:PORT`` for IPv6):
    an address and no name, so that no pod asks DNS for a Service that mostly does not exist, and
    a route file is true as a whole the moment that it is read. ``weight`` is the share in percent,
    0 to 100. With ``mirror`` the share is copied there, and the answers are dropped; every request
    is answered by the pod itself, whatever ``matches`` say. Otherwise requests that fulfil one of
    ``matches`` all go there, and ``weight`` is the share of the others.
    """

    target: str | None = None
    weight: int = 0
    mirror: bool = False
    matches: tuple[Match, ...] = ()
    sticky: Sticky | None = None

    def __post_init__(self) -> None:
        """Refuse a share that is none; raises ValueError."""
        if not 0 <= self.weight <= 100:
            raise ValueError(f"A weight lies between 0 and 100: {self.weight}")


ALONE = Split()
"""All requests are answered by the pod that they come to."""
