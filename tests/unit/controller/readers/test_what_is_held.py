"""What readers remember for minutes: answers and addresses, never the objects of users."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from slipway.api import ModelDeployment
from slipway.controller.readers.rollout_traffic import Question, TrafficReader
from slipway.controller.readers.training_progress import ProgressReader
from slipway.controller.readers.worker_deaths import DeathReader
from slipway.manifests import MODEL_DEPLOYMENT, REVISION, TRAINING_JOB, head_of
from slipway.plan import Children, Manifest, ObjectRef
from slipway.serving.children.names import SERVER
from tests.unit.controller.fakes import training_job

SILENT = "192.0.2.1"
"""An address that nobody has (RFC 5737)."""


class Held(dict[str, Any]):
    """An object of which can be told whether somebody still holds it."""


def pod() -> Manifest:
    labels = {REVISION: "new", "slipway.dev/component": SERVER, MODEL_DEPLOYMENT: "web"}
    server = {"name": "torchserve", "started": True, "ready": False}
    status = {"phase": "Running", "podIP": SILENT, "containerStatuses": [server]}
    meta = {"name": "p", "namespace": "demo", "uid": "p", "labels": labels}
    return Held(apiVersion="v1", kind="Pod", metadata=meta, status=status)


def raw() -> Manifest:
    meta = {"name": "web", "namespace": "demo", "uid": "u"}
    spec = {"model": {"trainingJob": {"name": "job"}}}
    head = {"apiVersion": "slipway.dev/v1alpha1", "kind": "ModelDeployment"}
    return Held({**head, "metadata": meta, "spec": spec})


Read = Callable[[Manifest, Manifest], Any]


@pytest.fixture
async def readers() -> AsyncIterator[dict[str, Read]]:
    """Return how each reader is asked, with a deployment and its pod."""
    progress, deaths, traffic = ProgressReader(10.0), DeathReader(), TrafficReader()
    question = Question("u", "demo", "new", "old")

    def read_deaths(owner: Manifest, one: Manifest) -> Any:
        children = Children({ObjectRef.of(one): one})
        return deaths.read(ModelDeployment.model_validate(dict(owner)), owner, children)

    yield {
        "progress": lambda _, one: progress.read(one),
        "deaths": read_deaths,
        "traffic": lambda _, one: traffic.read(question, [one], lambda: None),
    }
    for reader in (progress, deaths, traffic):
        await reader.close()


@pytest.mark.parametrize("name", ["progress", "deaths", "traffic"])
async def test_what_was_read_for_an_object_does_not_hold_it(
    readers: dict[str, Read], name: str
) -> None:
    owner, one = raw(), pod()
    held = weakref.ref(owner), weakref.ref(one)
    readers[name](owner, one)
    await asyncio.sleep(0)
    del owner, one
    gc.collect()
    assert [each() for each in held] == [None, None]


def test_what_is_kept_of_an_object_tells_which_it_is_and_whose() -> None:
    job = training_job()
    assert head_of(job)["metadata"] == {
        **{key: job["metadata"][key] for key in ("name", "namespace", "uid")},
        "labels": {},
    }
    job["metadata"]["labels"] = {TRAINING_JOB: "a", "team": "b" * 1000}
    assert head_of(job)["metadata"]["labels"] == {TRAINING_JOB: "a"}
    assert ObjectRef.of(head_of(job)) == ObjectRef.of(job)
