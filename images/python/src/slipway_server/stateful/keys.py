"""The headers of sequences, by TorchServe's names, and the names that clients give to sequences."""

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slipway_server.errors import Refusal

MOST_CHARACTERS = 1024
"""Longest name of a sequence."""


@dataclass(frozen=True)
class Keys:
    """Names of the headers that say which sequence a request is of, and where it begins or ends.

    A client may write a hyphen for each underscore: many proxies, Slipway's Envoy among them, let
    no header pass whose name has underscores.
    """

    sequence: str = "ts_request_sequence_id"
    start: str = "ts_request_sequence_start"
    end: str = "ts_request_sequence_end"

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> "Keys":
        """Return the names that the environment has, as TorchServe's ts/context.py reads them."""
        return cls(
            environ.get("TS_REQUEST_SEQUENCE_ID", cls.sequence),
            environ.get("TS_REQUEST_SEQUENCE_START", cls.start),
            environ.get("TS_REQUEST_SEQUENCE_END", cls.end),
        )


@dataclass(frozen=True)
class Named:
    """A request's sequence, and the headers that its handler reads of it."""

    sequence: str
    headers: Sequence[tuple[str, str]]


ALONE = Named("", ())
"""What a request is where there are no sequences."""


def named(headers: Sequence[tuple[str, str]], keys: Keys) -> Named:
    """Return the sequence that a request's headers name, or a new one; raises ``Refusal``."""
    told = {key: _values(headers, key) for key in (keys.sequence, keys.start, keys.end)}
    pairs = [(key, values[-1]) for key, values in told.items() if values]
    ids = set(told[keys.sequence])
    if len(ids) > 1:
        raise _refused(f"{keys.sequence} is there more than once: name one sequence.")
    name = ids.pop() if ids else ""
    if not name:
        name = f"ts-seq-{uuid.uuid4()}"
        return Named(name, [*pairs, (keys.start, "true"), (keys.sequence, name)])
    if len(name) > MOST_CHARACTERS or not name.isprintable():
        raise _refused(
            f"{keys.sequence} is no name of a sequence: take up to {MOST_CHARACTERS} characters "
            "that can be printed."
        )
    return Named(name, pairs)


def _values(headers: Sequence[tuple[str, str]], key: str) -> list[str]:
    plain = _plain(key)
    return [value for name, value in headers if _plain(name) == plain]


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _refused(message: str) -> Refusal:
    return Refusal(400, "BadRequestException", message)


def ended(headers: Sequence[tuple[str, str]], keys: Keys) -> list[str]:
    """Return the sequences that an answer's headers end."""
    values = (value for name, value in headers if name.lower() == keys.end.lower())
    return [name for value in values for part in value.split(";") if (name := part.strip())]
