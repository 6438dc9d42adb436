"""A trace for each reconcile: one id in its logs, its requests and its metrics' exemplars.

Requests carry it as W3C's ``traceparent`` (https://www.w3.org/TR/trace-context/), so that an API
server that records traces joins it.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_TRACE: ContextVar[str] = ContextVar("slipway_trace", default="")


@contextmanager
def traced() -> Iterator[str]:
    """Begin a trace for what is done within, in this task, and yield its id (32 hex digits)."""
    token = _TRACE.set(secrets.token_hex(16))
    try:
        yield _TRACE.get()
    finally:
        _TRACE.reset(token)


def trace_id() -> str:
    """Return the id of the present trace; empty where there is none."""
    return _TRACE.get()


def traceparent() -> str:
    """Return the header's value for one request of the present trace; empty where there is none."""
    trace = trace_id()
    return f"00-{trace}-{secrets.token_hex(8)}-01" if trace else ""


def exemplar() -> dict[str, str] | None:
    """Return the labels of an exemplar that leads to the present trace, or None."""
    trace = trace_id()
    return {"trace_id": trace} if trace else None
