"""Containers' last words: the JSON that the runtime leaves in the termination message.

Written by the user's own container, too: nothing in it is trusted to have a certain shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from slipway.observed.last_words import json_object
from slipway.observed.pods import ContainerView
from slipway.training.children.names import OWN_STOPPED_CODE, STOPPED_CODE
from slipway.uris import scrubbed


@dataclass(frozen=True)
class LastWord:
    """How a container ended, and what it had to say.

    ``exit_code`` is the program's own. ``body`` is the JSON that it left, empty where it left none.
    ``text`` is then the raw tail of its log, which the kubelet takes instead. ``killed_for_memory``
    is the kubelet's own word.
    """

    exit_code: int
    finished_at: str
    killed_for_memory: bool
    body: Mapping[str, Any]
    text: str

    def string(self, field: str) -> str:
        """Return a text of the body; empty where there is none."""
        value = self.body.get(field)
        return value if isinstance(value, str) else ""

    def mapping(self, field: str) -> Mapping[str, Any]:
        """Return an object of the body; empty where there is none."""
        value = self.body.get(field)
        return value if isinstance(value, dict) else {}

    @property
    def time(self) -> float | None:
        """When the program failed or was told to stop, in seconds since 1970, if it knows."""
        value = self.body.get("time")
        return float(value) if isinstance(value, int | float) and 0 < value < 1e11 else None

    @cached_property
    def log_tail(self) -> str:
        """The last lines of the log, as well as they are known."""
        return scrubbed((self.string("logTail") or self.text).strip())


def last_word(container: ContainerView) -> LastWord | None:
    """Return how a container ended; None where it has not."""
    state = container.terminated
    if not state:
        return None
    text = str(state.get("message") or "")
    body = json_object(text)
    return LastWord(
        exit_code=program_code(container.exit_code or 0),
        finished_at=str(state.get("finishedAt") or ""),
        killed_for_memory=state.get("reason") == "OOMKilled",
        body=body,
        text="" if body else text,
    )


def program_code(code: int) -> int:
    """Return the exit code of the program in a trainer container that ended with a code."""
    return STOPPED_CODE if code == OWN_STOPPED_CODE else code
