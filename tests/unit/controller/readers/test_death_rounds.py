"""Which serving pods are asked in rounds, and which of their workers' deaths become events."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from slipway.controller.readers import worker_deaths as module
from slipway.controller.readers.death_rounds import DeathRounds
from slipway.controller.readers.worker_deaths import DeathReader
from slipway.manifests import COMPONENT
from slipway.plan import Children, Event, Manifest, ObjectRef
from slipway.telemetry.objects.handling import Handling
from tests.unit.controller.readers.test_worker_deaths import OWN_SERVER, deployment, pod

NOW = 1_000_000.0
OWNER: Manifest = {
    "apiVersion": "slipway.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "web", "namespace": "demo", "uid": "u"},
}


def page(deaths: int, age: float = 1.0, **fields: Any) -> str:
    told = {"deaths": deaths, "cause": "exit 3", "log": "bye", "time": NOW - age, "seconds": 2.5}
    return json.dumps(told | fields)


@dataclass
class Place:
    """Pods that tell what a test says, and the events that came of it."""

    reader: DeathReader
    pods: dict[str, Manifest] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    rounds: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def handling(self) -> Handling:
        return Handling(lambda *what: self.failed.append(what))

    def put(self, name: str, told: str | None = None, **like: Any) -> None:
        spec = like.pop("spec", {})
        made = pod(name=name, uid=name, **{"ready": True, **like})
        self.pods[name] = {**made, "spec": spec}
        if told is not None:
            self.pages[name] = told

    def children(self) -> Children:
        return Children({ObjectRef.of(one): one for one in self.pods.values()})

    def namespaces(self) -> list[str]:
        return ["demo"]

    def deployments(self, namespace: str) -> list[ObjectRef]:
        assert namespace == "demo"
        self.rounds += 1
        self.begun.set()
        return [ObjectRef.of(OWNER)]

    def read(self, ref: ObjectRef) -> tuple[Manifest, Children] | None:
        assert ref == ObjectRef.of(OWNER)
        return OWNER, self.children()

    def pod(self, ref: ObjectRef) -> Manifest | None:
        return self.pods.get(ref.name)

    async def go_round(self, times: int = 2) -> None:
        """Wait until all pods have been asked; the answers of the last round may be under way."""
        until = self.rounds + times + 1
        while self.rounds < until:
            self.begun.clear()
            await self.begun.wait()

    async def answer(self, request: web.Request) -> web.Response:
        name = request.path.split("/")[1]
        self.asked.append(name)
        if name in self.silent:
            await asyncio.Event().wait()
        return web.Response(text=self.pages.get(name, page(0)))


@asynccontextmanager
async def placed(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    place = Place(DeathReader())
    app = web.Application()
    app.router.add_get("/{path:.*}", place.answer)
    async with TestServer(app) as server:
        base = str(server.make_url("")).rstrip("/")
        monkeypatch.setattr(module, "ops_url", lambda one: f"{base}/{one['metadata']['name']}")
        rounds = DeathRounds(
            place.reader,
            place,
            lambda _, event: place.events.append(event),
            place.handling.of,
            pause=0.1,
            period=0.1,
            now=lambda: NOW,
        )
        task = asyncio.create_task(rounds.run())
        try:
            yield place
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await place.reader.close()


async def test_a_worker_that_is_back_before_its_pod_was_unready_is_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with placed(monkeypatch) as place:
        place.put("web-1")
        await place.go_round()
        assert place.events == []
        place.pages["web-1"] = page(1)
        await place.go_round(3)
        (event,) = place.events
        assert (event.type, event.reason) == ("Warning", "WorkerDied")
        assert event.message == (
            "A worker of pod web-1 died: it ended itself with exit code 3; all were there again "
            "after 2.5 s; the log ended with:\nbye"
        )
        place.pages["web-1"] = page(4)
        await place.go_round(3)
        assert len(place.events) == 2
        assert "3 workers of pod web-1 died, the last one as follows" in place.events[1].message


async def test_deaths_before_an_operator_started_are_told_while_they_are_fresh(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with placed(monkeypatch) as place:
        place.put("old", page(5, age=3600))
        place.put("fresh", page(5, age=60))
        await place.go_round(3)
        assert [one.message.split(" died")[0] for one in place.events] == ["A worker of pod fresh"]


async def test_a_server_that_starts_again_counts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async with placed(monkeypatch) as place:
        place.put("web-1", page(2, age=3600))
        await place.go_round()
        place.pages["web-1"] = page(1)
        await place.go_round(3)
        assert [one.message.split(":")[0] for one in place.events] == ["A worker of pod web-1 died"]


async def test_the_next_worker_is_waited_for_to_tell_how_long_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with placed(monkeypatch) as place:
        place.put("web-1")
        place.put("web-2", page(1, age=60, seconds=None))
        await place.go_round()
        place.pages["web-1"] = page(1, seconds=None)
        await place.go_round(3)
        assert ["web-2" in one.message for one in place.events] == [True], "that takes too long"
        place.pages["web-1"] = page(1)
        await place.go_round(3)
        assert "after 2.5 s" in place.events[1].message


async def test_what_the_conditions_tell_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with placed(monkeypatch) as place:
        place.put("web-1", page(1), ready=False)
        place.put("asked", revision="other")
        while not place.reader.read(deployment(), OWNER, place.children()):
            await place.go_round(1)
        before = place.asked.count("web-1")
        await place.go_round(3)
        assert place.asked.count("web-1") == before, "the rounds leave it to the other reader"
        place.put("web-1", page(1))
        await place.go_round(3)
        assert place.events == []


async def test_a_pod_that_is_out_while_others_serve_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with placed(monkeypatch) as place:
        place.put("web-1", page(1, age=60, seconds=None), ready=False)
        place.put("web-2")
        await place.go_round(3)
        assert ["web-1" in one.message for one in place.events] == [True]


async def test_a_silent_pod_keeps_nobody_waiting_and_is_asked_once_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with placed(monkeypatch) as place:
        place.silent.add("mute")
        place.put("mute")
        place.put("web-1", page(1))
        await place.go_round(4)
        assert len(place.events) == 1
        assert place.asked.count("mute") == 1


@pytest.mark.parametrize(
    "like",
    [
        {"labels": {COMPONENT: "train"}},
        {"deletionTimestamp": "2026-01-02T03:04:05Z"},
        {"spec": OWN_SERVER},
    ],
)
async def test_pods_that_have_nothing_to_tell_are_not_asked(
    monkeypatch: pytest.MonkeyPatch, like: dict[str, Any]
) -> None:
    async with placed(monkeypatch) as place:
        place.put("other", page(1), **like)
        place.put("web-1")
        await place.go_round()
        assert set(place.asked) == {"web-1"}


async def test_a_pod_at_which_something_unforeseen_fails_keeps_no_other_from_being_asked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with placed(monkeypatch) as place:
        ask = place.reader.ask

        async def fail(one: Manifest) -> Any:
            if one["metadata"]["name"] == "odd":
                raise RuntimeError("nobody thought of that")
            return await ask(one)

        monkeypatch.setattr(place.reader, "ask", fail)
        place.put("odd")
        place.put("web-1", page(1))
        await place.go_round(3)
        assert len(place.events) == 1
        assert set(place.failed) == {("Pod", "deaths")}
        assert "The part deaths failed at this object" in caplog.text
        place.failed.clear()
        place.put("odd", spec={"initContainers": [{}]})
        place.pages["web-1"] = page(2)
        await place.go_round(3)
        assert len(place.events) == 2
        assert set(place.failed) == {("Pod", "deaths")}


class Crowd:
    """Two namespaces: one has a thousand pods, the other one."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.quiet = asyncio.Event()

    def namespaces(self) -> list[str]:
        return ["many", "one"]

    def deployments(self, namespace: str) -> list[ObjectRef]:
        return [ObjectRef("slipway.dev/v1alpha1", "ModelDeployment", namespace, "web")]

    def read(self, ref: ObjectRef) -> tuple[Manifest, Children] | None:
        names = [f"web-{n}" for n in range(1000 if ref.namespace == "many" else 1)]
        raw = {**OWNER, "metadata": {**OWNER["metadata"], "namespace": ref.namespace}}
        pods = [self._pod(ref.namespace, name) for name in names]
        return raw, Children({ObjectRef.of(one): one for one in pods})

    def pod(self, ref: ObjectRef) -> Manifest | None:
        return self._pod(ref.namespace, ref.name)

    @staticmethod
    def _pod(namespace: str, name: str) -> Manifest:
        made = pod(name=name, uid=f"{namespace}-{name}", ready=True)
        return {**made, "metadata": {**made["metadata"], "namespace": namespace}}

    async def ask(self, one: Manifest) -> None:
        self.asked.append(one["metadata"]["namespace"])
        if len(self.asked) >= 40:
            self.quiet.set()


async def test_a_namespace_of_a_thousand_pods_delays_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crowd, reader = Crowd(), DeathReader()
    monkeypatch.setattr(reader, "ask", crowd.ask)
    rounds = DeathRounds(reader, crowd, lambda *_: None, pause=0.0, period=0.0)
    task = asyncio.create_task(rounds.run())
    await asyncio.wait_for(crowd.quiet.wait(), 60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [crowd.asked[:40].count(namespace) for namespace in ("many", "one")] == [20, 20]
