"""Handling one object at a time: what is unforeseen at one ends nothing for all the others."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from slipway.plan import ObjectRef
from slipway.telemetry.logs import about

_LOG = logging.getLogger(__name__)

Failed = Callable[[str, str], None]
"""Is told the kind of an object, and the part of the operator that failed at it."""


class Handling:
    """Logs an unforeseen error with the object's name, has it counted, and goes on.

    All that turns objects of the cluster into what the operator knows of them, one after the other,
    does so within it.
    """

    def __init__(self, failed: Failed = lambda *_: None) -> None:
        self._failed = failed

    @contextmanager
    def of(self, ref: ObjectRef, part: str) -> Iterator[None]:
        """Handle an object within; raises MemoryError alone, after which nothing can be trusted."""
        with about(ref.kind, ref.namespace, ref.name):
            try:
                yield
            except MemoryError:
                raise
            except Exception:
                self._failed(ref.kind, part)
                _LOG.exception("The part %s failed at this object, and goes on with others", part)
