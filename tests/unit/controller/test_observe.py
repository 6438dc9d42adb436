"""Observing: what is read for a snapshot, and when."""

import asyncio
import math

import pytest

from slipway.api import TrainingJob
from slipway.controller.observe import ConfigMapKeys, Observer
from slipway.controller.readers import training_progress
from slipway.controller.readers.training_progress import ProgressReader
from slipway.kube.cache import Cache
from slipway.plan import Manifest, StoreState
from slipway.training.snapshot import TrainingSnapshot
from slipway.training.view import INDEX
from tests.unit.controller.fakes import FakeClient, child, reference, training_job

SOURCE = {"source": {"configMap": {"name": "code"}}, "entrypoint": "train.py"}


async def reachable() -> StoreState:
    return StoreState()


async def no_traffic(_deployment: object, _children: object) -> None:
    """Nothing is judged here."""


async def served(_api_version: str, _kind: str) -> bool:
    return True


def in_phase(phase: str, **status: str) -> tuple[Manifest, Cache]:
    """Return a job, and a cache with its one pod in a phase."""
    job = {**training_job(), "spec": SOURCE}
    batch = child(job, "Job", "job-train", "batch/v1")
    batch["metadata"] |= {"uid": "j", "resourceVersion": "1"}
    pod: Manifest = {**child(job, "Pod", "p"), "status": {"phase": phase, **status}}
    pod["metadata"] |= {
        "uid": "p",
        "resourceVersion": "2",
        "labels": {**pod["metadata"]["labels"], INDEX: "0"},
        "ownerReferences": [reference(batch)],
    }
    cache = Cache()
    cache.feed(batch)
    cache.feed(pod)
    return job, cache


async def snapshot(
    phase: str, client: FakeClient, reader: ProgressReader | None = None, **status: str
) -> TrainingSnapshot:
    """Observe a job that has one pod in a phase."""
    job, cache = in_phase(phase, **status)
    reader = reader or ProgressReader(10.0)
    observer = Observer(cache, ConfigMapKeys(client), reachable, reader, 10.0, served, no_traffic)
    found = await observer.training(TrainingJob.model_validate(job), job)
    assert isinstance(found.snapshot, TrainingSnapshot)
    return found.snapshot


@pytest.mark.parametrize(("phase", "gone"), [("Pending", True), ("Running", False)])
async def test_a_deleted_source_matters_to_pods_that_have_not_started(
    phase: str, gone: bool
) -> None:
    assert (await snapshot(phase, FakeClient())).source_gone is gone


async def test_a_source_that_is_there_is_not_gone() -> None:
    client = FakeClient()
    meta = {"name": "code", "namespace": "default"}
    client.put(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"train.py": ""}}
    )
    assert not (await snapshot("Pending", client)).source_gone


async def test_a_pod_that_cannot_be_asked_is_silent_and_has_never_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training_progress, "PORT", 1)
    reader = ProgressReader(0.01)
    client = FakeClient()
    async with asyncio.timeout(10):
        seen = await snapshot("Running", client, reader, podIP="127.0.0.1")
        while seen.silence is None:
            await asyncio.sleep(0.01)
            seen = await snapshot("Running", client, reader, podIP="127.0.0.1")
    await reader.close()
    assert (seen.progress, seen.progress_age) == (None, math.inf)
    assert seen.silence is not None
    assert seen.silence.pod == "p"
    assert "127.0.0.1:1" in seen.silence.error
