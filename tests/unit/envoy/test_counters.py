"""What the operator reads of a real Envoy's counters."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from slipway.controller.readers.asking.bounded import BoundedReader, Bounds
from slipway.controller.readers.asking.turns import Turns
from slipway.controller.readers.pod_metrics import read_pod
from slipway.envoy.routes import FORWARDED_STAT
from slipway.serving.analysis.traffic import PodSample, quantile
from tests.unit.envoy.pod import DEADLINE, Pod, eventually, running_pod
from tests.unit.envoy.test_split import ask, two_slots

MODELS_PAGE = """# TYPE Score gauge
Score{Level="Model",Hostname="x"} 0.25
Score{Level="Model",Hostname="y"} 0.75
# TYPE Refused counter
Refused{ModelName="iris"} 3.0
Refused{ModelName="iris",Level="b"} 4.0
# TYPE Unread counter
Unread 5.0
# TYPE Length histogram
Length_bucket{le="1.0"} 1.0
Length_bucket{le="+Inf"} 2.0
Length_count 2.0
Length_sum 7.0
"""


MEASURES = ("Score", "Refused", "Length")


def bounded_reader() -> BoundedReader:
    return BoundedReader(Bounds(DEADLINE, DEADLINE, 1 << 18), Turns(8, 8))


async def read(pod: Pod) -> PodSample:
    reader = bounded_reader()
    found = await read_pod(reader, pod.url(pod.config.ops_port, ""), "r1", "team", MEASURES)
    await reader.close()
    assert found is not None
    return found


async def test_requests_and_errors_are_those_of_the_pods_own_torchserve(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        await ask(pod, 30)
        pod.torchserve.status = 500
        await ask(pod, 7)
        pod.torchserve.status = 404
        await ask(pod, 3)
        await pod.post("/nowhere")
        sample = await read(pod)
        assert (sample.revision, sample.forwarded) == ("r1", 0)
        assert (sample.counters.requests, sample.counters.errors) == (40, 7)


async def test_answers_too_late_are_errors(tmp_path: Path) -> None:
    async with running_pod(tmp_path, response_timeout=-4) as pod:
        assert (await pod.post("/predict?slow=1"))[0] == 504
        counters = (await read(pod)).counters
        assert (counters.requests, counters.errors) == (1, 1)


async def test_the_histogram_tells_twice_as_slow_from_as_slow(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        slots.stable.torchserve.delay, slots.candidate.torchserve.delay = 1.0, 2.0
        await asyncio.gather(ask(slots.stable, 48), ask(slots.candidate, 48))
        slow, fast = await median(slots.candidate), await median(slots.stable)
        assert 1.5 < slow / fast < 2.5


async def median(pod: Pod) -> float:
    """Return half the requests' longest time; Envoy adds to its histograms every few seconds."""
    times: list[float] = []

    async def told() -> bool:
        found = quantile((await read(pod)).counters.latency, 0.5)
        times.extend(() if found is None else (found,))
        return found is not None

    await eventually(told, "the histogram is there")
    return times[-1]


async def test_forwarded_requests_count_where_they_were_answered(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        slots.candidate.torchserve.status = 503
        await slots.split(weight=100)
        await ask(slots.stable, 20)
        stable, candidate = await read(slots.stable), await read(slots.candidate)
        assert (stable.counters.requests, stable.forwarded, stable.forward_errors) == (0, 20, 20)
        assert (candidate.counters.requests, candidate.counters.errors) == (20, 20)


async def answers(pod: Pod, series: str) -> dict[str, float]:
    """Return a series of the pod's page by class of the answers' code, where it is not 0."""
    page = (await pod.get(pod.config.ops_port, "/metrics"))[1]
    (family,) = (each for each in text_string_to_metric_families(page) if each.name == series)
    wanted = {("envoy_http_conn_manager_prefix", "http"), ("envoy_route", FORWARDED_STAT)}
    return {
        one.labels["envoy_response_code_class"]: one.value
        for one in family.samples
        if one.value and wanted & one.labels.items()
    }


@pytest.mark.parametrize("mirror", [False, True])
async def test_what_was_forwarded_is_told_from_what_users_sent(
    tmp_path: Path, mirror: bool
) -> None:
    """So that answers that both slots' listeners count can be counted once."""
    async with two_slots(tmp_path) as slots:
        slots.candidate.torchserve.fail_every = 4
        await slots.split(weight=100, mirror=mirror)
        await ask(slots.stable, 20)
        await ask(slots.candidate, 4)
        every = {"2": 18.0, "5": 6.0}

        async def all_counted() -> bool:
            return await answers(slots.candidate, "envoy_http_downstream_rq_xx") == every

        await eventually(all_counted, "all answers are counted")
        forwarded = await answers(slots.candidate, "envoy_vhost_route_upstream_rq_xx")
        assert sum(forwarded.values()) == 20
        asked = await answers(slots.stable, "envoy_http_downstream_rq_xx")
        assert asked == ({"2": 20.0} if mirror else forwarded)


async def test_requests_that_reach_nobody_count_as_forwarded_errors(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        await slots.split(weight=100, target="127.0.0.1:1")
        assert await ask(slots.stable, 5) == {503: 5}
        stable = await read(slots.stable)
        assert (stable.forwarded, stable.forward_errors) == (5, 5)


async def test_mirrored_requests_count_for_the_revision_that_got_the_copy(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        slots.candidate.torchserve.status = 500
        await slots.split(weight=100, mirror=True)
        await ask(slots.stable, 20)

        async def copied() -> bool:
            return (await read(slots.candidate)).counters.errors == 20

        await eventually(copied, "all copies are counted")
        assert (await read(slots.stable)).counters.errors == 0


async def test_the_models_own_measures_are_read(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        pod.torchserve.page = MODELS_PAGE
        counters = (await read(pod)).counters
        assert counters.gauges == {"Score": 0.5}
        assert counters.totals == {"Refused_total": 7.0, "Length_count": 2.0, "Length_sum": 7.0}


async def test_a_pod_that_does_not_answer_has_no_counters(tmp_path: Path) -> None:
    reader = bounded_reader()
    assert await read_pod(reader, "http://127.0.0.1:1", "r1", "team", MEASURES) is None
    await reader.close()
    async with running_pod(tmp_path) as pod:
        pod.torchserve.page = "no { metrics"
        assert (await read(pod)).counters.totals == {}


@pytest.mark.parametrize(
    ("fault", "path", "counter"),
    [
        ("a connection that ends", "/predict?die=1", "upstream_cx_destroy_remote_with_active_rq"),
        ("a connection that is refused", "/predict", "upstream_rq_retry_limit_exceeded"),
    ],
)
async def test_an_error_that_the_model_did_not_answer_is_counted_by_its_source(
    tmp_path: Path, fault: str, path: str, counter: str
) -> None:
    async with running_pod(tmp_path) as pod:
        if "refused" in fault:
            await pod.torchserve.stop()
        assert (await pod.post(path))[0] == 503
        found = await pod.admin("/stats?filter=^cluster.torchserve.upstream_&usedonly", "GET")
        assert f"cluster.torchserve.{counter}: 1\n" in found, fault
