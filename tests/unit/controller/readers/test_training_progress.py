"""Progress: read from the first pod's metrics, seldom, and never a reason to fail."""

import asyncio
import math
from collections.abc import Iterable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from slipway.api.training.status import CheckpointProgress, Progress
from slipway.controller.readers import exposition
from slipway.controller.readers import training_progress as module
from slipway.controller.readers.asking.questions import Newest
from slipway.controller.readers.training_progress import ProgressReader, first_pod, parse_progress
from slipway.manifests import head_of
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


async def settled(reader: ProgressReader) -> Newest[Progress | None]:
    """Return what is known of the pod once a question has been settled."""
    async with asyncio.timeout(120):
        while True:
            found = reader.read(pod())
            if found.error or found.age < math.inf:
                return found
            await asyncio.sleep(0.01)


async def test_a_pod_is_asked_without_being_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    server, asked = await served(PAGE)
    monkeypatch.setattr(module, "PORT", server.port)
    told: list[Manifest] = []
    reader = ProgressReader(10.0, tell=told.append)
    assert reader.read(pod()) == Newest()
    found = await settled(reader)
    assert found.value is not None
    assert (found.value.step, found.error, told, len(asked)) == (150, "", [head_of(pod())], 1)
    await reader.close()
    await server.close()


@pytest.mark.parametrize(
    ("page", "status", "error"),
    [
        ("slipway_training_step {{{", 200, "its page is not in Prometheus' text format"),
        ("", 500, "it answers with status 500"),
        (PAGE, 302, "it answers with status 302"),
    ],
)
async def test_a_bad_answer_is_silence_with_a_reason(
    page: str, status: int, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _ = await served(page, status)
    monkeypatch.setattr(module, "PORT", server.port)
    reader = ProgressReader(10.0)
    found = await settled(reader)
    assert (found.value, found.age, found.error) == (None, math.inf, error)
    await reader.close()
    await server.close()


async def test_a_pod_that_has_nothing_to_report_yet_has_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, _ = await served("slipway_store_up 1\n")
    monkeypatch.setattr(module, "PORT", server.port)
    reader = ProgressReader(10.0)
    found = await settled(reader)
    assert (found.value, found.error) == (None, "")
    await reader.close()
    await server.close()


def test_a_count_beyond_what_the_api_holds_is_left_out() -> None:
    page = (
        "slipway_training_step 5\nslipway_training_total_steps 1e300\nslipway_training_epoch NaN\n"
    )
    found = parse_progress(page)
    assert found is not None
    assert (found.step, found.total_steps, found.epoch) == (5, None, None)


def test_metrics_that_the_status_has_no_room_for_are_counted() -> None:
    names = [f"m{index:02}" for index in range(40)] + ["x" * 65, ""]
    page = "slipway_training_step 5\n" + "".join(
        f'slipway_training_metric{{name="{name}"}} 1\n' for name in names
    )
    found = parse_progress(page)
    assert found is not None
    assert (sorted(found.metrics), found.dropped_metrics) == (names[:32], 10)


_CHARACTERS = 'slipway_training_metric{name="}\\ \n#0123456789eE+-.NaIinf'
_NOISE = st.text(alphabet=_CHARACTERS, max_size=400)


@given(_NOISE)
def test_any_page_is_read_or_refused_in_words(page: str) -> None:
    for text in (page, PAGE + page, page + "\n" + PAGE):
        try:
            found = parse_progress(text)
        except ValueError:
            continue
        assert found is None or Progress.model_validate(found.to_wire()) == found


def test_a_page_full_of_other_lines_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def parse(text: str) -> Iterable[Metric]:
        parsed.append(text)
        return text_string_to_metric_families(text)

    monkeypatch.setattr(exposition, "text_string_to_metric_families", parse)
    noise = "".join(f'anything{{x="{index}"}} 1\n' for index in range(10_000))
    metrics = "".join(f'slipway_training_metric{{name="{i}"}} 1\n' for i in range(10_000))
    found = parse_progress(noise + PAGE + metrics)
    assert found is not None
    assert found.step == 150
    assert sum(map(len, parsed)) < 64 * 1024
