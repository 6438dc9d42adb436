"""Asking a Prometheus for the values of users' own queries."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from slipway.api.excerpt import excerpt
from slipway.api.serving.analysis import AnalysisMetric, PrometheusQuery
from slipway.controller.readers.asking.bounded import Answer, BoundedReader, Bounds, UnansweredError
from slipway.controller.readers.asking.questions import Questions, Tell
from slipway.controller.readers.asking.resolver import ServiceResolver
from slipway.controller.readers.asking.turns import Turns
from slipway.serving.analysis.traffic import Reading
from slipway.serving.prometheus_address import Allowed

_BOUNDS = Bounds(total_seconds=10.0, connect_seconds=3.0, most_bytes=1 << 20)
_IN_ALL, _EACH = 32, 4
"""How many queries are under way at a time, in all and of one namespace."""
_PATH = "/api/v1/query"
_TOLD_CHARACTERS = 256
NO_ADDRESS = (
    "there is no Prometheus to ask: write prometheus.address, or give the operator one "
    "(SLIPWAY_PROMETHEUS_URL)"
)


class PrometheusError(Exception):
    """A query gave no number; the text says why."""


class PrometheusReader:
    """Evaluates queries without being waited for, each at most once in ``interval`` seconds.

    ``default`` is asked where a query names no address. ``allowed`` are the addresses that may be
    named besides the Services of an object's own namespace; ``forbidden`` IP addresses are those
    that no such Service may lead to.
    """

    def __init__(
        self,
        default: str,
        allowed: Iterable[str] = (),
        forbidden: Iterable[str] = (),
        interval: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        listed = tuple(dict.fromkeys(address for address in (default, *allowed) if address))
        trusted = (str(urlsplit(address).hostname) for address in listed)
        self._default = default
        self._allowed = Allowed(listed)
        self._questions: Questions[tuple[float | None, str]] = Questions(interval, clock)
        resolver = ServiceResolver(trusted, forbidden)
        self._reader = BoundedReader(_BOUNDS, Turns(_IN_ALL, _EACH), resolver)

    def read(
        self,
        metric: AnalysisMetric,
        names: Mapping[str, str],
        revisions: tuple[str, str],
        tell: Tell,
    ) -> Reading | None:
        """Return a query's newest values for the candidate and the stable revision.

        None while there was no answer yet, good or bad. ``names`` are what the query's marks mean,
        the namespace among them. A query that does not name the revision has one value, which is
        the candidate's. ``tell`` is called when another value has come.
        """
        query = metric.prometheus
        if query is None:
            raise ValueError(f"The metric {metric.name} is no query.")
        address = query.address or self._default
        refusal = self._allowed.refusal(address, names["namespace"]) if address else NO_ADDRESS
        if refusal is not None:
            return Reading(error=refusal)
        compared = metric.max_ratio_to_stable is not None
        asked = revisions if compared else revisions[:1]
        found = [self._newest(address, text, names, tell) for text in _texts(query, names, asked)]
        if any(age == math.inf for _, _, age in found):
            return None
        (value, error, _), *rest = found
        stable = rest[0][0] if rest else None
        return Reading(value, stable, error, max(age for _, _, age in found))

    def _newest(
        self, address: str, text: str, names: Mapping[str, str], tell: Tell
    ) -> tuple[float | None, str, float]:
        async def ask(_: object) -> tuple[float | None, str]:
            return await self._outcome(address, text, names["namespace"])

        key = (names["namespace"], names["deployment"], address, text)
        newest = self._questions.read(key, ask, tell)
        return (*(newest.value or (None, "")), newest.age)

    async def _outcome(self, address: str, query: str, tenant: str) -> tuple[float | None, str]:
        """Return a query's value, or why it has none: either is an answer that can be judged by."""
        url = address.rstrip("/") + _PATH
        try:
            return first_value(body_of(await self._reader.post(url, tenant, {"query": query}))), ""
        except UnansweredError as error:
            return None, f"Prometheus does not answer at {address}: {error}"
        except PrometheusError as error:
            return None, str(error)

    async def close(self) -> None:
        """Close the connections."""
        await self._questions.close()
        await self._reader.close()


def _texts(
    query: PrometheusQuery, names: Mapping[str, str], revisions: Iterable[str]
) -> Iterator[str]:
    return (fill(query.query, {**names, "revision": revision}) for revision in revisions)


def fill(query: str, names: Mapping[str, str]) -> str:
    """Return a query with its marks, such as {{revision}}, replaced by names."""
    for name, value in names.items():
        query = query.replace("{{" + name + "}}", value)
    return query


def body_of(answer: Answer) -> Any:
    """Return the JSON of an answer; raises PrometheusError where it has none."""
    if answer.content_type != "application/json":
        raise PrometheusError(f"no Prometheus answers there, but status {answer.status}")
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise PrometheusError("Prometheus' answer is no JSON") from error


def first_value(body: Any) -> float:
    """Return the first number of an answer; raises PrometheusError where there is none.

    Format: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
    """
    if not isinstance(body, dict) or body.get("status") != "success":
        told = body.get("error") if isinstance(body, dict) else None
        text = excerpt(told, _TOLD_CHARACTERS) if isinstance(told, str) else ""
        raise PrometheusError(f"Prometheus refuses the query: {text or 'no further word'}")
    try:
        data = body["data"]
        result = data["result"]
        pair = result if data["resultType"] == "scalar" else (result[0]["value"] if result else ())
        value = float(pair[1]) if pair else math.nan
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise PrometheusError("the query gives no instant number") from error
    if math.isnan(value):
        raise PrometheusError("the query gives no value")
    return value
