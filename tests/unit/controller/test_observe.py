"""Observing: what is read for a snapshot, and when."""

import pytest

from slipway.api import TrainingJob
from slipway.controller.observe import ConfigMapKeys, Observer
from slipway.controller.progress import ProgressReader
from slipway.kube.cache import Cache
from slipway.plan import Manifest, StoreState
from slipway.training.snapshot import TrainingSnapshot
from tests.unit.controller.fakes import FakeClient, child, reference, training_job

SOURCE = {"source": {"configMap": {"name": "code"}}, "entrypoint": "train.py"}


async def reachable() -> StoreState:
    return StoreState()


async def no_traffic(_deployment: object, _children: object) -> None:
    """Nothing is judged here."""


async def served(_api_version: str, _kind: str) -> bool:
    return True


async def snapshot(phase: str, client: FakeClient) -> TrainingSnapshot:
    """Observe a job that has one pod in a phase."""
    job = {**training_job(), "spec": SOURCE}
    batch = child(job, "Job", "job-train", "batch/v1")
    batch["metadata"] |= {"uid": "j", "resourceVersion": "1"}
    pod: Manifest = {**child(job, "Pod", "p"), "status": {"phase": phase}}
    pod["metadata"] |= {
        "uid": "p",
        "resourceVersion": "2",
        "ownerReferences": [reference(batch)],
    }
    cache = Cache()
    cache.feed(batch)
    cache.feed(pod)
    reader = ProgressReader(10.0)
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
