"""Queries against a stand-in for Prometheus' HTTP API."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from slipway.api.analysis import AnalysisMetric
from slipway.controller.readers.prometheus import PrometheusReader
from slipway.serving.traffic import Reading

NAMES = {"namespace": "demo", "deployment": "iris"}


class Prometheus:
    """Answers queries with what it was given, and remembers them."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.address = ""

    async def query(self, request: web.Request) -> web.Response:
        query = str((await request.post())["query"])
        self.asked.append(query)
        found = self.answers.get(query, [])
        if isinstance(found, str):
            return web.json_response({"status": "error", "error": found}, status=400)
        return web.json_response(
            {"status": "success", "data": {"resultType": "vector", "result": found}}
        )


@pytest.fixture
async def prometheus() -> AsyncIterator[Prometheus]:
    found = Prometheus()
    app = web.Application()
    app.router.add_post("/api/v1/query", found.query)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


def metric(query: str, **fields: Any) -> AnalysisMetric:
    return AnalysisMetric.model_validate({"name": "mine", "prometheus": {"query": query}, **fields})


def vector(value: str) -> list[Any]:
    return [{"metric": {}, "value": [1700000000.0, value]}]


async def read(address: str, wanted: AnalysisMetric) -> Reading:
    reader = PrometheusReader(address)
    try:
        return await reader.read(wanted, NAMES, "new", "old")
    finally:
        await reader.close()


async def test_both_revisions_are_asked_for_where_they_are_compared(prometheus: Prometheus) -> None:
    query = 'x{n="{{namespace}}",d="{{deployment}}",r="{{revision}}"}'
    prometheus.answers['x{n="demo",d="iris",r="new"}'] = vector("3.5")
    prometheus.answers['x{n="demo",d="iris",r="old"}'] = vector("2")
    assert await read(prometheus.address, metric(query, maxRatioToStable=2)) == Reading(3.5, 2.0)


async def test_only_the_candidate_is_asked_for_otherwise(prometheus: Prometheus) -> None:
    prometheus.answers["x"] = vector("1")
    wanted = metric("x", successCondition="result < 2")
    assert await read(prometheus.address, wanted) == Reading(1.0)
    assert prometheus.asked == ["x"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([], "the query gives no value"),
        (vector("NaN"), "the query gives no value"),
        ("parse error", "Prometheus refuses the query: parse error"),
        ([{"metric": {}, "values": []}], "the query gives no instant number"),
    ],
)
async def test_a_query_without_a_number_is_an_error_in_words(
    prometheus: Prometheus, answer: Any, told: str
) -> None:
    prometheus.answers["x"] = answer
    found = await read(prometheus.address, metric("x", successCondition="result < 2"))
    assert (found.candidate, found.error) == (None, told)


async def test_a_prometheus_that_is_not_there_is_an_error_in_words() -> None:
    wanted = metric("x", successCondition="result < 2")
    assert (
        "does not answer at http://127.0.0.1:1" in (await read("http://127.0.0.1:1", wanted)).error
    )
    assert "write prometheus.address" in (await read("", wanted)).error


async def test_a_query_is_not_asked_again_at_once(prometheus: Prometheus) -> None:
    prometheus.answers["x"] = vector("1")
    clock = [0.0]
    reader = PrometheusReader(prometheus.address, 5.0, lambda: clock[0])
    for moment in (0.0, 4.9, 5.0):
        clock[0] = moment
        await reader.read(metric("x", successCondition="result < 2"), NAMES, "new", "old")
    assert len(prometheus.asked) == 2
    await reader.close()
