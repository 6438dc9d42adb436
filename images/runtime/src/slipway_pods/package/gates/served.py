"""The record of the archive that is served, read with what opens the namespace's store."""

from collections.abc import Callable, Mapping
from typing import Any

from slipway_pods.package.gates.recorded import (
    EVALUATE,
    MAX_BYTES,
    NO_RECORD,
    NOTHING_SERVED,
    PACKAGE,
    Basis,
    RecordedFigures,
)
from slipway_pods.package.gates.verdict import Questions
from slipway_pods.store import store
from slipway_runtime.termination import say

Patiently = Callable[[Callable[[], bytes]], bytes]
"""Does something with the store, again for a while where it is unavailable."""


def look(questions: Questions, patiently: Patiently) -> RecordedFigures:
    """Return the figures that were recorded of the archive that is served.

    A record that is not there, or may not be read, has none. Raises StoreUnavailableError.
    """
    served = questions.served
    if served is None:
        return RecordedFigures(NOTHING_SERVED)
    uri = served.record_uri
    if uri is None:
        return RecordedFigures(NO_RECORD)
    try:
        data = patiently(lambda: store.get_bytes(uri, MAX_BYTES))
    except store.StoreUnavailableError:
        raise
    except store.StoreError as error:
        say(f"the record of what is served is not read: {error}")
        return RecordedFigures(NO_RECORD)
    return RecordedFigures.read(data, served.sha256)


def record(
    questions: Questions, own: Mapping[str, float], evaluated: Mapping[str, float], basis: Basis
) -> dict[str, Any]:
    """Return what the record of an archive's origin has of its figures, for a later one to read.

    ``basis`` is what the figures of answers go by.
    """
    found = ((EVALUATE, evaluated), (PACKAGE, own))
    figures = {
        name: {"value": value, "source": source}
        for source, figures in found
        for name, value in figures.items()
    }
    served = questions.served
    return {
        "figures": figures,
        **basis.told,
        **({"comparedWith": {"sha256": served.sha256}} if served else {}),
    }
