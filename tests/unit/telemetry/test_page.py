"""The page of metrics: the library's lines, renewed with the objects, holding nobody up."""

import asyncio
import gc
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from aiohttp import ClientSession, web
from aiohttp.typedefs import Handler, Middleware
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

from slipway.controller.gauges import Sources, add_gauges
from slipway.kube.watched.cache import Cache
from slipway.plan import Manifest, ObjectRef
from slipway.telemetry.metrics import Metrics
from slipway.telemetry.objects.encoded import ObjectGauge, ObjectSamples, lines_of
from slipway.telemetry.objects.following import Pauses
from slipway.telemetry.page import page as pieces
from slipway.telemetry.server import HttpServer
from tests.harness.ports import free_port
from tests.harness.quickness import quick
from tests.unit.telemetry.objects import at, condition, deployment, job, page, value
from tests.unit.telemetry.test_gauges import Idle

FORMATS = ("", "text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0")


def known(obj: Manifest, name: str, namespace: str, version: int) -> Manifest:
    """Return an object as a watch shows it."""
    meta = {**obj["metadata"], "name": name, "namespace": namespace}
    return {**obj, "metadata": {**meta, "uid": name, "resourceVersion": str(version)}}


def over(cache: Cache, *, each_object: bool = True, leading: bool = True) -> Metrics:
    metrics, idle = Metrics(), cast(Any, Idle())
    add_gauges(metrics, Sources(cache, idle, idle, lambda: leading), each_object=each_object)
    return metrics


@pytest.mark.parametrize("accept", FORMATS)
def test_what_a_registry_has_is_served_as_the_library_serves_it(accept: str) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("a_gauge", 'with "quotes" and \\', ("x",), registry=registry)
    for index in range(1000):
        gauge.labels(f'{index}"\n').set(index / 3)
    Histogram("a_histogram", "text", registry=registry).observe(2)
    Gauge("empty", "no samples", ("x",), registry=registry)

    async def read() -> bytes:
        return b"".join([each async for each in pieces((registry,), (), accept, Pauses())])

    assert asyncio.run(read()) == choose_encoder(accept)[0](registry)


@given(st.lists(st.text(), min_size=2, max_size=2), st.floats())
def test_an_objects_lines_are_those_that_the_library_would_write(
    labels: list[str], number: float
) -> None:
    texts = [label.replace("\0", "").encode("utf-8", "replace").decode() for label in labels]
    gauge = ObjectGauge("g", "text", ("zone", "a"), lambda _: [(tuple(labels), number)])
    registry = CollectorRegistry()
    made = Gauge("g", "text", ("namespace", "training_job", "zone", "a"), registry=registry)
    made.labels("ml", "digits", *texts).set(number)
    expected = choose_encoder("")[0](registry).split(b"\n", 2)[2]
    assert lines_of(gauge, "training_job", job()) == expected


CHANGES = st.lists(st.tuples(st.integers(0, 150), st.none() | st.integers(0, 9)), max_size=300)


@given(CHANGES, st.integers(1, 50))
def test_lines_are_those_of_the_newest_versions_whatever_came_and_went(
    changes: list[tuple[int, int | None]], every: int
) -> None:
    gauge = ObjectGauge("g", "text", (), lambda obj: [((), obj["value"])])
    samples, there = ObjectSamples((gauge,), "training_job"), {}
    for count, (index, number) in enumerate(changes):
        ref = ObjectRef("v1", "TrainingJob", "ml", f"job-{index}")
        obj = {**known(job(), ref.name, "ml", 1), "value": number}
        if number is not None:
            there[ref] = lines_of(gauge, "training_job", obj)
            samples.seen(ref, obj)
        elif there.pop(ref, None):
            samples.seen(ref, None)
        if count % every == 0:
            list(samples.settle())
    list(samples.settle())
    lines = b"".join(samples.lines(0)).splitlines(keepends=True)
    assert sorted(lines) == sorted(there.values())


def test_a_changed_object_is_served_anew_and_one_that_is_gone_no_more() -> None:
    cache = Cache()
    metrics = over(cache)
    one, other = ({"namespace": "ml", "training_job": name} for name in ("one", "other"))
    for name in ("one", "other"):
        cache.feed(known(job(phase="Pending"), name, "ml", 1))
    phase = "slipway_training_job_phase"
    assert value(metrics, phase, **one, phase="Pending") == 1
    cache.feed(known(job(phase="Running"), "one", "ml", 2))
    assert value(metrics, phase, **one, phase="Running") == 1
    assert value(metrics, phase, **one, phase="Pending") is None
    assert value(metrics, "slipway_training_jobs", namespace="ml", phase="Running") == 1
    assert value(metrics, "slipway_training_jobs", namespace="ml", phase="Pending") == 1
    cache.remove(ObjectRef("slipway.dev/v1alpha1", "TrainingJob", "ml", "other"), "other")
    assert value(metrics, phase, **other, phase="Pending") is None
    assert value(metrics, "slipway_training_jobs", namespace="ml", phase="Pending") is None


def test_an_object_that_did_not_change_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache()
    for index in range(100):
        cache.feed(known(job(phase="Running"), f"job-{index}", "ml", 1))
    metrics, read = over(cache), []
    get = Cache.get

    def counting(found: Cache, ref: ObjectRef) -> Manifest | None:
        read.append(ref)
        return get(found, ref)

    monkeypatch.setattr(Cache, "get", counting)
    first = page(metrics)
    assert len(read) == 100
    cache.feed(known(job(phase="Running"), "job-7", "ml", 2))
    for again in (page(metrics), page(metrics)):
        assert 'training_job="job-99"' in first
        assert again.count("slipway_training_job_phase{") == 100
    assert len(read) == 101


def test_the_series_of_single_objects_can_be_left_out() -> None:
    cache = Cache()
    cache.feed(known(job(phase="Running"), "one", "ml", 1))
    metrics = over(cache, each_object=False)
    assert "slipway_training_job_phase" not in page(metrics)
    assert value(metrics, "slipway_training_jobs", namespace="ml", phase="Running") == 1


def test_series_by_namespace_go_some_time_after_its_last_object() -> None:
    now = 1000.0
    metrics = Metrics(lambda: now)
    lines = page(metrics).count("\n")
    for index in range(50):
        before = known(job(), "one", f"pr-{index}", 1)
        metrics.status_written(before, job(condition("Running", True, "12:00:40"))["status"])
        metrics.namespace_left(f"pr-{index}")
    metrics.status_written(known(job(), "two", "pr-7", 1), {})
    now += 599
    assert "pr-0" in page(metrics)
    now += 1
    last = page(metrics)
    assert "pr-0" not in last
    assert "pr-7" in last
    metrics.namespace_left("pr-7")
    now += 600
    assert page(metrics).count("\n") <= lines


def busy_cache(jobs: int) -> Cache:
    cache = Cache()
    progress = {"step": 5, "percent": 5, "etaSeconds": 50, "lastReportTime": at("12:00:00")}
    conditions = [
        condition(name, name == "Running", "12:00:00")
        for name in ("Created", "Running", "Queued", "Succeeded")
    ]
    ended = job(*conditions, phase="Succeeded", nodes={"desired": 2}, progress=progress)
    for index in range(jobs):
        cache.feed(known(ended, f"job-{index}", f"ns-{index % 50}", 1))
    for index in range(jobs // 10):
        cache.feed(known(deployment(*conditions), f"model-{index}", f"ns-{index % 50}", 1))
    return cache


async def longest_hold(metrics: Metrics, accept: str) -> tuple[float, int]:
    """Scrape; return how long the loop was held at most, in CPU seconds, and the page's size."""
    done, longest = asyncio.Event(), 0.0

    async def beat() -> None:
        nonlocal longest
        while not done.is_set():
            begun = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - begun)

    beating = asyncio.create_task(beat())
    size = sum([len(piece) async for piece in metrics.page(accept)])
    done.set()
    await beating
    return longest, size


@pytest.fixture
def unswept() -> Iterator[None]:
    """Keep Python's collector away from the test run's own objects, which it takes long to walk."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("unswept")
async def test_a_scrape_of_ten_thousand_jobs_never_holds_the_loop_for_50_ms() -> None:
    async def scraped() -> float:
        """Return how long two scrapes have held the loop at most, the first of which reads all."""
        metrics = over(busy_cache(10_000))
        for index in range(200):
            metrics.status_written(known(job(), "one", f"ns-{index}", 1), {})
        gc.freeze()
        holds = [await longest_hold(metrics, accept) for accept in (FORMATS[2], FORMATS[0])]
        assert min(size for _, size in holds) > 10_000_000
        return max(longest for longest, _ in holds)

    await quick(scraped, 0.05)


async def test_a_middleware_stands_before_the_metrics() -> None:
    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        raise web.HTTPForbidden(text=f"{request.path} is not for {handler}")

    refusing = [cast(Middleware, refuse)]
    for middlewares, status in (([], 200), (refusing, 403)):
        server = HttpServer(Metrics().page, list, list, middlewares)
        await server.start(free_port())
        url = f"http://127.0.0.1:{server.port}/metrics"
        async with ClientSession() as session, session.get(url) as answer:
            assert answer.status == status
            assert (b"slipway_leader" in await answer.read()) is (status == 200)
        await server.close()
