"""Queries against a stand-in for Prometheus' HTTP API."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from slipway.api.serving.analysis import AnalysisMetric
from slipway.controller.readers.prometheus import PrometheusError, PrometheusReader, first_value
from slipway.serving.analysis.traffic import Reading

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
        if query.startswith("silent"):
            await asyncio.sleep(60)
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
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.shutdown()
    await runner.cleanup()


def metric(query: str, **fields: Any) -> AnalysisMetric:
    return AnalysisMetric.model_validate({"name": "mine", "prometheus": {"query": query}, **fields})


def vector(value: str) -> list[Any]:
    return [{"metric": {}, "value": [1700000000.0, value]}]


GOOD = metric("x", successCondition="result < 2")


class Asked:
    """A reader of a Prometheus for one namespace."""

    def __init__(self, address: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.told = asyncio.Event()
        self.reader = PrometheusReader(address, clock=clock)

    def read(self, metric: AnalysisMetric) -> Reading | None:
        return self.reader.read(metric, NAMES, ("new", "old"), self.told.set)

    async def answer(self, metric: AnalysisMetric) -> Reading:
        """Return the answer to a query, once both values have come."""
        async with asyncio.timeout(120):
            while (found := self.read(metric)) is None:
                await self.told.wait()
                self.told.clear()
        return replace(found, age=0.0)


async def read(address: str, wanted: AnalysisMetric) -> Reading:
    asked = Asked(address)
    try:
        return await asked.answer(wanted)
    finally:
        await asked.reader.close()


async def test_both_revisions_are_asked_for_where_they_are_compared(prometheus: Prometheus) -> None:
    query = 'x{n="{{namespace}}",d="{{deployment}}",r="{{revision}}"}'
    prometheus.answers['x{n="demo",d="iris",r="new"}'] = vector("3.5")
    prometheus.answers['x{n="demo",d="iris",r="old"}'] = vector("2")
    assert await read(prometheus.address, metric(query, maxRatioToStable=2)) == Reading(3.5, 2.0)


async def test_only_the_candidate_is_asked_for_otherwise(prometheus: Prometheus) -> None:
    prometheus.answers["x"] = vector("1")
    assert await read(prometheus.address, GOOD) == Reading(1.0)
    assert prometheus.asked == ["x"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([], "the query gives no value"),
        (vector("NaN"), "the query gives no value"),
        ("parse error", "Prometheus refuses the query: parse error"),
        ("rpc error;\n" * 200, f"Prometheus refuses the query: {'rpc error; ' * 22}rpc error;..."),
        ([{"metric": {}, "values": []}], "the query gives no instant number"),
    ],
)
async def test_a_query_without_a_number_is_an_error_in_words(
    prometheus: Prometheus, answer: Any, told: str
) -> None:
    prometheus.answers["x"] = answer
    found = await read(prometheus.address, GOOD)
    assert (found.candidate, found.error) == (None, told)


async def test_a_prometheus_that_is_not_there_is_an_error_in_words() -> None:
    assert "does not answer at http://127.0.0.1:1" in (await read("http://127.0.0.1:1", GOOD)).error
    assert "write prometheus.address" in (await read("", GOOD)).error


async def test_a_query_is_not_asked_again_at_once(prometheus: Prometheus) -> None:
    prometheus.answers["x"] = vector("1")
    clock = [0.0]
    asked = Asked(prometheus.address, lambda: clock[0])
    await asked.answer(GOOD)
    clock[0] = 4.9
    asked.read(GOOD)
    assert len(prometheus.asked) == 1
    clock[0] = 5.0
    prometheus.answers["x"] = vector("2")
    asked.read(GOOD)
    async with asyncio.timeout(120):
        await asked.told.wait()
    assert await asked.answer(GOOD) == Reading(2.0)
    await asked.reader.close()


async def test_a_silent_prometheus_holds_nobody_up_and_no_other_namespace_waits(
    prometheus: Prometheus,
) -> None:
    prometheus.answers["x"] = vector("1")
    asked = Asked(prometheus.address)
    for query in range(100):
        silent = metric(f"silent{query}", successCondition="result < 2")
        assert asked.read(silent) is None
    other = {**NAMES, "namespace": "other"}
    told = asyncio.Event()
    async with asyncio.timeout(120):
        while asked.reader.read(GOOD, other, ("new", "old"), told.set) is None:
            await told.wait()
            told.clear()
    assert sum(query.startswith("silent") for query in prometheus.asked) < 10
    await asked.reader.close()


async def test_an_address_that_is_not_allowed_is_never_asked(prometheus: Prometheus) -> None:
    asked = Asked("http://prometheus.monitoring.svc:9090")
    query = {"query": "x", "address": prometheus.address}
    wanted = AnalysisMetric.model_validate(
        {"name": "mine", "prometheus": query, "successCondition": "result < 2"}
    )
    found = asked.read(wanted)
    assert found is not None
    assert "http://prometheus.demo.svc:9090" in found.error
    await asked.reader.close()
    assert prometheus.asked == []


ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.just("result"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("status", "data", "result", "resultType", "value", "error")), inner
        )
    ),
)


def outcome(answer: Any) -> float | str:
    """Return an answer's number, or the words of its error."""
    try:
        return first_value(answer)
    except PrometheusError as error:
        return str(error)


@given(ODD, st.sampled_from(("success", "error")))
def test_any_answer_is_a_number_or_an_error_in_short_words(body: Any, status: str) -> None:
    for answer in (body, {"status": status, "data": body, "error": body}):
        found = outcome(answer)
        if isinstance(found, str):
            assert len(found) < 300
            assert found.isprintable()
        else:
            assert not math.isnan(found)
