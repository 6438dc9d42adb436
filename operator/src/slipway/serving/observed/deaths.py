"""Why a worker of a server that served has died, as the pod itself tells it. Pure.

A model's own code may have written the page, so nothing of it is believed but its form, and only
the pod that it comes from is judged by it.
"""

import math
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
_FRESH_SECONDS = 600.0
"""A death that is older is no news of a pod that is asked for the first time."""
_PATIENCE_SECONDS = 20.0
"""So long it is waited for the next worker, to tell with a death how long that took."""
_LONGEST_SECONDS, _MOST_DEATHS = 1e6, 1_000_000
_SIGNAL, _EXIT = re.compile("SIG[A-Z]{1,10}"), re.compile("exit ([0-9]{1,4})")


@dataclass(frozen=True)
class Death:
    """Why the last worker of a pod died, in words, and the end of what it wrote.

    ``count`` is how many have died since the server's start. The last one did at ``time``, in
    seconds since 1970; then workers were ``missing`` for so many seconds, which is None while that
    is ``under_way``, and of a pod that does not tell.
    """

    why: str
    log: str = ""
    count: int = 1
    time: float = 0.0
    missing: float | None = None
    under_way: bool = False

    @property
    def told(self) -> str:
        """The sentence, with the log."""
        text = f"A worker died, and is started again: {self.why}"
        return f"{text}; the log ended with:\n{self.log}" if self.log else f"{text}."


def parse(page: str) -> Death | None:
    """Return what a pod's page tells; None where no worker has died, or the page is no such one."""
    answer = json_object(page)
    count = answer.get("deaths")
    if type(count) is not int or not 1 <= count <= _MOST_DEATHS:
        return None
    cause, log = answer.get("cause"), answer.get("log")
    why = _words(cause) if isinstance(cause, str) else None
    if why is None:
        return None
    return Death(
        why,
        _tail(log) if isinstance(log, str) else "",
        count,
        _number(answer.get("time")) or 0.0,
        _number(answer.get("seconds"), _LONGEST_SECONDS),
        "seconds" in answer and answer["seconds"] is None,
    )


def _number(given: object, most: float = math.inf) -> float | None:
    """Return a number that is finite, not negative and ``most`` at most; None for anything else."""
    if type(given) not in (int, float):
        return None
    try:
        number = float(given)  # type: ignore[arg-type]
    except OverflowError:
        return None
    return number if math.isfinite(number) and 0 <= number <= most else None


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


def news(pod: str, death: Death, known: int | None, now: float) -> str | None:
    """Return what is to be told of workers that died unseen, with the log; None for no news.

    ``known`` deaths of the pod have been told of; None for a pod that was never asked, of which a
    death is news while it is fresh. ``now`` is in seconds since 1970. A server that started again
    counts from 0.
    """
    age = now - death.time
    if death.under_way and age < _PATIENCE_SECONDS:
        return None
    if known is None:
        known = death.count - (age < _FRESH_SECONDS)
    died = death.count - (known if death.count >= known else 0)
    if died < 1:
        return None
    begin = f"A worker of pod {pod} died"
    if died > 1:
        begin = f"{died} workers of pod {pod} died, the last one as follows"
    back = "" if death.missing is None else f"; all were there again after {death.missing:.1f} s"
    text = f"{begin}: {death.why}{back}"
    return f"{text}; the log ended with:\n{death.log}" if death.log else f"{text}."


def worker_died(pods: Iterable[PodView], deaths: Mapping[str, Death]) -> Problem | None:
    """Return why a pod that served does not any more, if a worker's death is it."""
    sentences = sorted(
        deaths[pod.uid].told for pod in pods if pod.uid in deaths and serves_no_more(pod)
    )
    return Problem(reasons.WORKER_DIED, sentences[0]) if sentences else None


def last_death(pods: Iterable[PodView], deaths: Mapping[str, Death]) -> str:
    """Return how a worker of these pods died last, with its log; empty for none."""
    return next((deaths[pod.uid].told for pod in pods if pod.uid in deaths), "")
