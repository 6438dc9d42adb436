"""Progress: read from the first pod's metrics, seldom, and never a reason to fail."""

import asyncio
import math
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from slipway.api.training_status import CheckpointProgress
from slipway.controller import progress as module
from slipway.controller.progress import ProgressReader, first_pod, parse_progress
from slipway.plan import Children, Manifest, ObjectRef

PAGE = """\
# TYPE slipway_training_step gauge
slipway_training_step 150.0
slipway_training_total_steps 600
slipway_training_epoch 3
slipway_training_metric{name="loss"} 0.123456789
slipway_training_metric{name="r2"} NaN
slipway_training_last_report_timestamp_seconds 1767312000.5
slipway_training_steps_per_second 2.5
slipway_training_samples_per_second 1234.5678
slipway_training_eta_seconds 180.7
slipway_training_stop{reason="Patience"} 1
slipway_training_last_checkpoint_step 100
slipway_training_last_checkpoint_timestamp_seconds 1767312000.5
slipway_training_checkpoint_duration_seconds 2.5
slipway_training_checkpoint_size_bytes 1e6
slipway_store_up 1
"""


def pod(
    index: str = "0", phase: str = "Running", address: str | None = "127.0.0.1", **meta: Any
) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"job-train-{index}",
            "namespace": "default",
            "uid": f"pod-{index}",
            "labels": {"batch.kubernetes.io/job-completion-index": index},
            **meta,
        },
        "status": {"phase": phase, "podIP": address},
    }


def children(*pods: Manifest) -> Children:
    return Children({ObjectRef.of(one): one for one in pods})


def test_a_page_is_read_into_progress() -> None:
    found = parse_progress(PAGE)
    assert found is not None
    assert (found.step, found.total_steps, found.epoch, found.percent) == (150, 600, 3, 25)
    assert found.metrics["loss"] == "0.123457"
    assert found.last_report_time == "2026-01-02T00:00:00Z"
    assert (found.eta_seconds, found.stop_reason) == (180, "Patience")
    assert found.checkpoint == CheckpointProgress(
        step=100, time="2026-01-02T00:00:00Z", duration_seconds=2, size_bytes=1_000_000
    )
    assert (found.steps_per_second, found.samples_per_second) == ("2.5", "1234.57")


def test_a_reason_to_stop_that_is_none_is_left_out() -> None:
    found = parse_progress(PAGE.replace("Patience", "Boredom"))
    assert found is not None
    assert found.stop_reason is None


@pytest.mark.parametrize("page", ["", "slipway_store_up 1\n"])
def test_there_is_no_progress_before_the_first_report(page: str) -> None:
    assert parse_progress(page) is None


def test_only_the_first_running_pod_with_an_address_is_asked() -> None:
    assert first_pod(children(pod("1"), pod("0"))) == pod("0")
    assert first_pod(children(pod("1"))) is None
    assert first_pod(children(pod(phase="Pending"))) is None
    assert first_pod(children(pod(address=None))) is None
    assert first_pod(children(pod(deletionTimestamp="2026-01-01T00:00:00Z"))) is None


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def served(page: str, status: int = 200) -> tuple[TestServer, list[int]]:
    asked: list[int] = []

    async def answer(_: web.Request) -> web.Response:
        asked.append(1)
        return web.Response(text=page, status=status)

    application = web.Application()
    application.router.add_get("/metrics", answer)
    server = TestServer(application)
    await server.start_server()
    return server, asked


class Told:
    """Waits for the word that an answer has come."""

    def __init__(self) -> None:
        self.come = asyncio.Event()

    def __call__(self, _: Manifest) -> None:
        self.come.set()

    async def wait(self) -> None:
        async with asyncio.timeout(10):
            await self.come.wait()


async def test_a_pod_is_asked_once_in_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    server, asked = await served(PAGE)
    monkeypatch.setattr(module, "PORT", server.port)
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 10.0)
    clock, told = Clock(), Told()
    reader = ProgressReader(10.0, clock, told)
    assert await reader.read(pod()) is None
    await told.wait()
    for clock.now in (0.0, 5.0, 9.9, 10.0):
        found = await reader.read(pod())
        assert found is not None
        assert found.step == 150
    assert len(asked) == 2
    await reader.close()
    await server.close()


async def test_the_age_of_what_is_known_counts_from_the_last_question_that_was_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, _ = await served(PAGE)
    monkeypatch.setattr(module, "PORT", server.port)
    clock, told = Clock(), Told()
    clock.now = 100.0
    reader = ProgressReader(10.0, clock, told)
    assert reader.age(pod()) == math.inf
    assert await reader.read(pod()) is None
    assert reader.age(pod()) == math.inf
    clock.now = 101.0
    await told.wait()
    assert reader.age(pod()) == 1.0
    await reader.close()
    await server.close()


async def test_a_pod_that_never_answered_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def ask(_: ProgressReader, _address: str) -> Any:
        asked.set()
        await answered.wait()
        return parse_progress(PAGE)

    monkeypatch.setattr(ProgressReader, "_ask", ask)
    told = Told()
    reader = ProgressReader(10.0, Clock(), told)
    assert await reader.read(pod()) is None
    await asked.wait()
    assert await reader.read(pod()) is None
    answered.set()
    await told.wait()
    found = await reader.read(pod())
    assert found is not None
    assert found.step == 150
    await reader.close()


@pytest.mark.parametrize(("page", "status"), [("not metrics {{{", 200), ("", 500), (PAGE, 404)])
async def test_a_bad_answer_is_no_error(
    page: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, asked = await served(page, status)
    monkeypatch.setattr(module, "PORT", server.port)
    reader = ProgressReader(10.0, Clock())
    async with asyncio.timeout(10):
        while not asked:
            assert await reader.read(pod()) is None
            await asyncio.sleep(0)
    assert await reader.read(pod()) is None
    await reader.close()
    await server.close()


async def test_a_pod_that_does_not_answer_any_more_keeps_its_last_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, _ = await served(PAGE)
    monkeypatch.setattr(module, "PORT", server.port)
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 10.0)
    clock, told = Clock(), Told()
    reader = ProgressReader(10.0, clock, told)
    await reader.read(pod())
    await told.wait()
    await server.close()
    clock.now = 20.0
    found = await reader.read(pod())
    assert found is not None
    assert found.step == 150
    await reader.close()


def test_a_count_beyond_what_the_api_holds_is_left_out() -> None:
    page = (
        "slipway_training_step 5\nslipway_training_total_steps 1e300\nslipway_training_epoch NaN\n"
    )
    found = parse_progress(page)
    assert found is not None
    assert (found.step, found.total_steps, found.epoch) == (5, None, None)
