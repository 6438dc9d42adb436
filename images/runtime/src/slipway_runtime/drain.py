"""The preStop hook of a server pod: leave the endpoints, then wait for what clients still ask.

It makes Envoy fail its health check, so that readiness ends and open connections are closed after
their next answer; waits for as long as other nodes need to hear of it; and then until no user's
connection is open, for a client that keeps one sends its next request to this pod, whatever the
endpoints are, and none has come for two seconds, for some nodes hear of it late. TorchServe, which
cuts what it is working on when it is told to stop, is told only after that. Connections that are
merely open are waited for until the longest wait is over, requests that are there then until they
are answered.

Variables: ``SLIPWAY_DRAIN_SECONDS`` (longest wait, 30), ``SLIPWAY_DRAIN_MIN_SECONDS`` (time for
the endpoints, 5, which no shorter longest wait cuts), ``SLIPWAY_DRAIN_ANSWER_SECONDS`` (how much
longer for requests that are there, 0), ``SLIPWAY_ENVOY_ADMIN``
(http://127.0.0.1:9901), ``SLIPWAY_ENVOY_STAT_PREFIX`` (the users' listener, ``http``). Always
exits 0: a pod that must stop is not to be held up.
"""

from __future__ import annotations

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from slipway_runtime.termination import say

POLL_SECONDS = 0.25
ANSWER_SECONDS = 5.0
"""Longest wait for one answer of Envoy's; on a busy machine it is asked again."""


@dataclass(frozen=True)
class Settings:
    """How to drain; all times in seconds."""

    admin: str = "http://127.0.0.1:9901"
    stat_prefix: str = "http"
    longest: float = 30.0
    shortest: float = 5.0
    quiet: float = 2.0
    answer: float = 0.0

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> Settings:
        """Read the settings; raises ValueError for a time that is no number."""
        return cls(
            admin=env.get("SLIPWAY_ENVOY_ADMIN", cls.admin),
            stat_prefix=env.get("SLIPWAY_ENVOY_STAT_PREFIX", cls.stat_prefix),
            longest=float(env.get("SLIPWAY_DRAIN_SECONDS", cls.longest)),
            answer=float(env.get("SLIPWAY_DRAIN_ANSWER_SECONDS", cls.answer)),
            shortest=float(env.get("SLIPWAY_DRAIN_MIN_SECONDS", cls.shortest)),
        )

    @property
    def longest_wait(self) -> float:
        """How long open connections are waited for; the time for the endpoints is never cut."""
        return max(self.longest, self.shortest + self.quiet)

    @property
    def most(self) -> float:
        """How long a drain takes at most, with one more answer to requests that are there."""
        return self.longest_wait + self.answer


@dataclass(frozen=True)
class Connections:
    """Users' connections: how many are ``open``, idle ones included, and have ``come`` so far.

    ``requests`` are those that are being answered.
    """

    open: int
    come: int
    requests: int


def drain(settings: Settings) -> float:
    """Drain this pod's Envoy; returns the seconds it took.

    Raises OSError where Envoy's admin interface is not there, TimeoutError where connections are
    still open, or still come, after the longest wait.
    """
    start = busy = time.monotonic()
    end = start + settings.longest_wait
    before: Connections | None = None
    while True:
        now = time.monotonic()
        door = _look(settings, before)
        if door is None or before is None or door.open or door.come != before.come:
            busy = now
        elif now - busy >= settings.quiet and now - start >= settings.shortest:
            return now - start
        asked = door is None or door.requests > 0
        if now >= end + (settings.answer if asked else 0.0):
            raise TimeoutError(_what_is_left(door))
        before = door
        time.sleep(POLL_SECONDS)


def _look(settings: Settings, before: Connections | None) -> Connections | None:
    """Return what Envoy counts; None where it answers late.

    Unless it has counted before, and on from there, it is told first to turn unready: an Envoy that
    was started again knows nothing of the drain.
    """
    try:
        if before is None:
            hold(settings)
        door = connections(settings)
        if before is not None and door.come < before.come:
            hold(settings)
    except TimeoutError:
        return None
    return door


def _what_is_left(door: Connections | None) -> str:
    if door is None:
        return "Envoy does not answer in time"
    open_now = f"{door.open} connections are still open, with {door.requests} requests"
    return f"{open_now}, of {door.come} that have come"


def hold(settings: Settings) -> None:
    """Have Envoy say that the pod is not ready; raises OSError where it does not listen."""
    call(settings, "/healthcheck/fail", b"")


def resume(settings: Settings) -> None:
    """Undo the drain: the hook runs too where a probe ends the container, but not the pod.

    Envoy goes on, and would keep the pod unready for ever. Raises OSError where its admin interface
    is not there.
    """
    call(settings, "/healthcheck/ok", b"")


def connections(settings: Settings) -> Connections:
    """Return what Envoy counts of users' connections; 0 before there is anything to count."""
    fields = ("downstream_cx_active", "downstream_cx_total", "downstream_rq_active")
    prefix = f"http.{settings.stat_prefix}."
    wanted = f"^{prefix.replace('.', '[.]')}({'|'.join(fields)})$"
    text = call(settings, f"/stats?filter={wanted}", None)
    found = dict(line.rsplit(":", 1) for line in text.splitlines() if line.startswith(prefix))
    return Connections(*(int(found.get(prefix + field, 0)) for field in fields))


def call(settings: Settings, path: str, body: bytes | None) -> str:
    """Ask Envoy's admin interface, with POST where there is a body; returns the answer's text.

    Raises TimeoutError for a late answer, another OSError where nobody listens.
    """
    request = urllib.request.Request(settings.admin + path, data=body)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
            return str(answer.read().decode())
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise TimeoutError(str(error)) from error
        raise


def main() -> int:
    """Drain and say how it went; always returns 0."""
    try:
        seconds = drain(Settings.from_environment(os.environ))
        say(f"drained in {seconds:.1f} s")
    except TimeoutError as error:
        say(f"stopped waiting: {error}")
    except (OSError, ValueError) as error:
        say(f"not drained: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
