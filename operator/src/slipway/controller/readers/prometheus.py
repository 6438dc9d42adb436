"""Asking a Prometheus for the values of users' own queries."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from slipway.api.analysis import AnalysisMetric
from slipway.controller.readers.sessions import LazySession
from slipway.serving.traffic import Reading

_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=3)
_MOST_BYTES = 1 << 20
_PATH = "/api/v1/query"
NO_ADDRESS = (
    "there is no Prometheus to ask: write prometheus.address, or give the operator one "
    "(SLIPWAY_PROMETHEUS_URL)"
)


class PrometheusError(Exception):
    """A query gave no number; the text says why."""


class PrometheusReader:
    """Evaluates queries, each at most once in ``interval`` seconds."""

    def __init__(
        self, default: str, interval: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._default = default
        self._interval = interval
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, float | None, str]] = {}
        self._session = LazySession(_TIMEOUT, limit=8, buffer=_MOST_BYTES)

    async def read(
        self, metric: AnalysisMetric, names: Mapping[str, str], candidate: str, stable: str
    ) -> Reading:
        """Return a query's values for two revisions; ``names`` are what its other marks mean.

        A query that does not name the revision has one value, which is the candidate's.
        """
        query = metric.prometheus
        if query is None:
            raise ValueError(f"The metric {metric.name} is no query.")
        address = query.address or self._default
        if not address:
            return Reading(error=NO_ADDRESS)
        texts = [fill(query.query, {**names, "revision": one}) for one in (candidate, stable)]
        compared = metric.max_ratio_to_stable is not None
        asked = [self._value(address, text) for text in texts[: 2 if compared else 1]]
        (value, error), *rest = await asyncio.gather(*asked)
        return Reading(value, rest[0][0] if rest else None, error)

    async def _value(self, address: str, query: str) -> tuple[float | None, str]:
        key, now = (address, query), self._clock()
        self._known = {
            known: entry for known, entry in self._known.items() if now - entry[0] < self._interval
        }
        if key not in self._known:
            try:
                self._known[key] = (now, await self._ask(address, query), "")
            except PrometheusError as error:
                self._known[key] = (now, None, str(error))
        return self._known[key][1:]

    async def _ask(self, address: str, query: str) -> float:
        url = address.rstrip("/") + _PATH
        try:
            async with self._session.get().post(url, data={"query": query}) as response:
                if response.content_type != "application/json":
                    raise PrometheusError(f"{address} is no Prometheus: it answered otherwise")
                body = await response.json()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise PrometheusError(f"Prometheus does not answer at {address}: {why}") from error
        return first_value(body)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


def fill(query: str, names: Mapping[str, str]) -> str:
    """Return a query with its marks, such as {{revision}}, replaced by names."""
    for name, value in names.items():
        query = query.replace("{{" + name + "}}", value)
    return query


def first_value(body: Any) -> float:
    """Return the first number of an answer; raises PrometheusError where there is none.

    Format: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
    """
    if not isinstance(body, dict) or body.get("status") != "success":
        told = body.get("error") if isinstance(body, dict) else None
        raise PrometheusError(f"Prometheus refuses the query: {told or 'no further word'}")
    try:
        data = body["data"]
        result = data["result"]
        pair = result if data["resultType"] == "scalar" else (result[0]["value"] if result else ())
        value = float(pair[1]) if pair else math.nan
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise PrometheusError("the query gives no instant number") from error
    if math.isnan(value):
        raise PrometheusError("the query gives no value")
    return value
