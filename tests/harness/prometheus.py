"""Asking the Prometheus that `dev` runs beside the local cluster."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.harness import plain_http
from tests.harness.waiting import wait_for

_SETTLED = 6.0
"""Time for the operator to count what a status says, two scrapes and the rules, in seconds."""
Json = Any
Series = dict[str, Any]
"""One series of a range query: ``metric`` (labels) and ``values`` (pairs of time and text)."""


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus; ``begun`` is when it was first asked of, in seconds since 1970."""

    url: str
    begun: float = field(default_factory=time.time)

    def range(self, query: str, step: float = 5.0) -> list[Series]:
        """Return all that a query gives between the beginning and now; empty series are left out.

        Raises AssertionError with Prometheus' own words for a query that it refuses.
        """
        span = {"start": self.begun, "end": time.time(), "step": step}
        found: list[Series] = self.get("query_range", query=query, **span)["result"]
        return [each for each in found if any(value != "NaN" for _, value in each["values"])]

    def wait_until_scraped(self) -> None:
        """Wait until ``range`` shows what all targets say from now on."""
        now = time.time() + _SETTLED

        def oldest() -> float:
            found = self.range("min(timestamp(up))")
            return float(found[0]["values"][-1][1]) if found else 0.0

        wait_for(lambda: oldest() > now, 120, "all targets are scraped anew")

    def values(self, label: str, series: str) -> list[str]:
        """Return the values that a label has in the series of a selector."""
        span = {"start": self.begun, "end": time.time()}
        found: list[str] = self.get(f"label/{label}/values", **{"match[]": series}, **span)
        return found

    def names(self, query: str) -> set[str]:
        """Return the names of the series that an expression selects, by Prometheus' own parser."""
        return set(_names(self.get("parse_query", query=query)))

    def get(self, path: str, **parameters: Any) -> Json:
        """Return the data of an answer of the HTTP API."""
        answer = plain_http.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30).json()
        assert answer["status"] == "success", f"{parameters}: {answer.get('error')}"
        return answer["data"]


def _names(node: Json) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("type") in ("vectorSelector", "matrixSelector") and node.get("name"):
            yield node["name"]
        for value in node.values():
            yield from _names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _names(value)
