"""Why a worker of a server that served has died, as the pod itself tells it. Pure.

A model's own code may have written the page, so nothing of it is believed but its form, and only
the pod that it comes from is judged by it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slipway.api.excerpt import excerpt
from slipway.observed.last_words import json_object
from slipway.observed.pods import PodView
from slipway.serving import reasons
from slipway.serving.children import names
from slipway.serving.observed.pods import TAIL_CHARACTERS, TAIL_LINES
from slipway.serving.observed.start_problems import Problem
from slipway.uris import scrubbed

MOST_BYTES = 16 * 1024
"""Longest page that is read."""
_CAUSES = {
    "OOMKilled": "the kernel killed it, as the container used more memory than its limit: raise "
    "spec.server.resources.limits, or lower spec.server.workers",
    "Timeout": "it gave no answer within the response timeout "
    "(spec.server.responseTimeoutSeconds), and the server ended it",
    "exit": "its Python ended by itself",
}
_SIGNAL, _EXIT = re.compile("SIG[A-Z]{1,10}"), re.compile("exit ([0-9]{1,4})")


@dataclass(frozen=True)
class Death:
    """Why the last worker of a pod died, in words, and the end of what it wrote."""

    why: str
    log: str = ""

    @property
    def told(self) -> str:
        """The sentence, with the log."""
        text = f"A worker died, and is started again: {self.why}"
        return f"{text}; the log ended with:\n{self.log}" if self.log else f"{text}."


def parse(page: str) -> Death | None:
    """Return what a pod's page tells; None where no worker has died, or the page is no such one."""
    found = json_object(page)
    if not isinstance(found.get("deaths"), int):
        return None
    cause, log = found.get("cause"), found.get("log")
    why = _words(cause) if isinstance(cause, str) else None
    if found["deaths"] < 1 or why is None:
        return None
    return Death(why, _tail(log) if isinstance(log, str) else "")


def _words(cause: str) -> str | None:
    if cause in _CAUSES:
        return _CAUSES[cause]
    if _SIGNAL.fullmatch(cause):
        return f"it was ended by {cause}"
    code = _EXIT.fullmatch(cause)
    return f"it ended itself with exit code {code[1]}" if code else None


def _tail(log: str) -> str:
    """Return the last lines of a log as printable text without what opens a URI."""
    lines = [excerpt(line, TAIL_CHARACTERS) for line in log[-MOST_BYTES:].splitlines()]
    kept = [line for line in lines if line][-TAIL_LINES:]
    return scrubbed("\n".join(kept))[-TAIL_CHARACTERS:].strip()


def serves_no_more(pod: PodView) -> bool:
    """Tell whether a pod's server has started, runs, and is not ready."""
    ready = pod.condition("Ready").get("status")
    return ready == "False" and any(c.started for c in pod.containers if c.name == names.MAIN)


def worker_died(pods: Iterable[PodView], deaths: Mapping[str, Death]) -> Problem | None:
    """Return why a pod that served does not any more, if a worker's death is it."""
    told = sorted(deaths[pod.uid].told for pod in pods if pod.uid in deaths and serves_no_more(pod))
    return Problem(reasons.WORKER_DIED, told[0]) if told else None


def last_death(pods: Iterable[PodView], deaths: Mapping[str, Death]) -> str:
    """Return how a worker of these pods died last, with its log; empty for none."""
    return next((deaths[pod.uid].told for pod in pods if pod.uid in deaths), "")
