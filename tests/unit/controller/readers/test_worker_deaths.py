"""Which serving pods are asked why a worker died, and that nobody waits for their answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from slipway.api import ModelDeployment
from slipway.controller.readers import worker_deaths as module
from slipway.controller.readers.worker_deaths import DeathReader
from slipway.envoy import DEATHS_PATH
from slipway.manifests import COMPONENT, REVISION
from slipway.plan import Children, Manifest, ObjectRef
from slipway.serving.children.names import HOOKS, SERVER
from slipway.serving.observed.deaths import Death

PAGE = json.dumps({"deaths": 2, "cause": "exit 3", "log": "bye", "time": 1.0})
OWN_SERVER = {"initContainers": [{"name": "fetch"}, {"name": HOOKS}]}
"""What tells a pod of a user's own server from others."""
AT = "2026-01-02T03:04:05Z"
RAW = {
    "apiVersion": "slipway.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "web", "namespace": "demo", "uid": "u"},
}
TRIED = {"candidate": {"revision": "new", "slot": "green", "startedAt": AT, "stepStartedAt": AT}}

FAILED = {"failed": {"revision": "new", "reason": "AnalysisFailed", "time": AT}}


def deployment(**rollout: Any) -> ModelDeployment:
    status = {"rollout": rollout} if rollout else {}
    meta = {"name": "web", "namespace": "demo", "uid": "u"}
    spec = {"model": {"trainingJob": {"name": "job"}}}
    return ModelDeployment.model_validate({"metadata": meta, "spec": spec, "status": status})


def pod(
    *, ready: bool = False, started: bool = True, revision: str = "old", **meta: Any
) -> Manifest:
    labels = {REVISION: revision, COMPONENT: SERVER}
    conditions = [{"type": "Ready", "status": str(ready)}]
    server = {"name": "torchserve", "started": started, "ready": ready}
    status = {"phase": "Running", "podIP": "127.0.0.1", "conditions": conditions}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "demo", "uid": "p", "labels": labels, **meta},
        "status": {**status, "containerStatuses": [server]},
    }


@asynccontextmanager
async def asked(
    monkeypatch: pytest.MonkeyPatch, page: str = PAGE
) -> AsyncIterator[tuple[DeathReader, asyncio.Event, list[str]]]:
    """A reader whose pods all answer with a page; an event for news, and what was asked for."""
    paths: list[str] = []
    news = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(text=page)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    reader = DeathReader(tell=lambda _: news.set())
    async with TestServer(app) as server:
        monkeypatch.setattr(module, "ops_url", lambda _: str(server.make_url("")).rstrip("/"))
        yield reader, news, paths
        await reader.close()


def read(reader: DeathReader, one: Manifest, **rollout: Any) -> dict[str, Death]:
    children = Children({ObjectRef.of(one): one})
    return reader.read(deployment(**rollout), RAW, children)


@pytest.mark.parametrize(
    ("one", "rollout"),
    [
        (pod(), {}),
        (pod(ready=True, revision="new"), TRIED),
        (pod(ready=True, revision="new"), FAILED),
    ],
)
async def test_a_pod_that_serves_no_more_or_is_tried_or_was_is_asked(
    monkeypatch: pytest.MonkeyPatch, one: Manifest, rollout: dict[str, Any]
) -> None:
    async with asked(monkeypatch) as (reader, news, paths):
        assert read(reader, one, **rollout) == {}, "the first look waits for nobody"
        await asyncio.wait_for(news.wait(), 120)
        assert read(reader, one, **rollout) == {
            "p": Death("it ended itself with exit code 3", "bye", count=2, time=1.0)
        }
        assert paths[0] == DEATHS_PATH


@pytest.mark.parametrize(
    "one",
    [
        pod(ready=True),
        pod(started=False),
        pod(deletionTimestamp=AT),
        {**pod(), "status": {"phase": "Running"}},
        {**pod(), "spec": OWN_SERVER},
    ],
)
async def test_other_pods_are_left_alone(monkeypatch: pytest.MonkeyPatch, one: Manifest) -> None:
    async with asked(monkeypatch) as (reader, news, paths):
        assert read(reader, one) == {}
        assert read(reader, pod(uid="another")) == {}
        await asyncio.wait_for(news.wait(), 120)
        assert len(paths) == 1, "only the second pod was asked"


async def test_what_a_pod_told_that_serves_again_is_not_why_it_dies_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with asked(monkeypatch) as (reader, news, paths):
        read(reader, pod())
        await asyncio.wait_for(news.wait(), 120)
        assert read(reader, pod(ready=True)) == {}
        news.clear()
        assert read(reader, pod()) == {}, "it is asked anew"
        await asyncio.wait_for(news.wait(), 120)
        assert read(reader, pod()).keys() == {"p"}
        assert len(paths) == 2
