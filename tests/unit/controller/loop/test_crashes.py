"""A crash at any write, before or after it took effect, ends in the same state as none."""

import itertools
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from slipway.api.training.job import TrainingJob
from slipway.controller.loop.observer import ConfigMapKeys, Observer
from slipway.controller.loop.reconciler import Controlled, Reconciler
from slipway.controller.loop.status_writer import StatusWriter
from slipway.controller.readers.training_progress import ProgressReader
from slipway.controller.whole import Whole
from slipway.kube.client import Client
from slipway.kube.watched.cache import Cache
from slipway.kube.writes.apply import Writer
from slipway.kube.writes.events import EventRecorder
from slipway.plan import Manifest, ObjectRef
from slipway.settings import Settings
from slipway.telemetry.metrics import Metrics
from slipway.training.planner import plan
from tests.unit.controller.fakes import CREDENTIALS, FakeClient, training_job
from tests.unit.controller.loop.surroundings import NOTHING, reachable

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SOURCE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "source", "namespace": "default"},
    "data": {"train.py": ""},
}


class Crash(BaseException):
    """The process dies."""


class MortalClient(FakeClient):
    """Dies at one write: before it takes effect, or after, when nobody hears the answer."""

    def __init__(self, at: int, *, after: bool) -> None:
        super().__init__()
        self.left: int | None = at
        self.after = after

    async def apply(self, manifest: Manifest) -> Manifest:
        return await self._perhaps(super().apply(manifest))

    async def create_new(self, manifest: Manifest) -> Manifest:
        return await self._perhaps(super().create_new(manifest))

    async def write_status(self, obj: Manifest, status: Any) -> Manifest:
        return await self._perhaps(super().write_status(obj, status))

    async def _perhaps(self, write: Coroutine[Any, Any, Manifest]) -> Manifest:
        if self.left is not None:
            self.left -= 1
        dies, self.left = self.left == 0, None if self.left == 0 else self.left
        if dies and not self.after:
            write.close()
            raise Crash
        answer = await write
        if dies:
            raise Crash
        return answer


def start(api: FakeClient) -> Reconciler:
    """Return the loop of a process that has just started and listed all there is."""
    client, cache = cast(Client, api), Cache()
    for obj in api.objects.values():
        if obj["kind"] not in ("Secret", "ConfigMap"):
            cache.feed(obj)
    keys = ConfigMapKeys(cast(Any, api))
    observer = Observer(cache, keys, reachable, ProgressReader(10.0), 10.0, *NOTHING)
    return Reconciler(
        {"TrainingJob": Controlled(TrainingJob, observer.training, plan)},
        cache,
        Writer(client, cache, CREDENTIALS.data),
        CREDENTIALS,
        StatusWriter(client, cache, 10.0),
        EventRecorder(client),
        Settings(),
        Metrics(),
        Whole(client, cache),
        lambda *_: None,
        lambda: NOW,
    )


async def run(api: FakeClient) -> list[Manifest]:
    """Run to rest, starting anew after each crash; return all objects without their versions."""
    api.put(SOURCE)
    ref = ObjectRef.of(api.put(training_job(nodes=2)))
    loop = start(api)
    for _ in itertools.repeat(None, 8):
        try:
            await loop.reconcile(ref)
        except Crash:
            loop = start(api)
    return [strip(api.objects[known]) for known in sorted(api.objects)]


def strip(obj: Manifest) -> Manifest:
    meta = {k: v for k, v in obj["metadata"].items() if k not in ("uid", "resourceVersion")}
    return {**obj, "metadata": meta}


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_at_any_write_ends_in_the_same_state_and_repeats_none(after: bool) -> None:
    steady = FakeClient()
    expected = await run(steady)
    made = {obj["kind"] for obj in expected}
    assert made == {"ConfigMap", "Job", "NetworkPolicy", "Secret", "Service", "TrainingJob"}
    for at in range(1, len(steady.writes) + 1):
        api = MortalClient(at, after=after)
        assert await run(api) == expected
        assert api.left is None, "it did not die"
        assert len(api.writes) == len(steady.writes)
