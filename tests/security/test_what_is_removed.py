"""A user of one namespace has nothing of another's removed, whatever he and the store say."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from xml.sax.saxutils import escape

import pytest
from aiohttp import web

from slipway.api import TrainingJob
from slipway.controller.readers.removals import Removals
from slipway.plan import Reference, Removal, Removed
from slipway.settings import Settings, StoreSettings
from slipway.training.stored.retention import retain
from tests.property.training.test_retained import END
from tests.unit.training.simulation import spec, training_job

MINE, THEIRS = "s3://ns-attacker-0123456789abcdef", "s3://ns-victim-0123456789abcdef"
VICTIMS = f"{THEIRS}/models/victim/net/u9"
ALL = {"outputSecondsAfterFinished": 0, "checkpointsSecondsAfterFinished": 0}
DONE = {
    "type": "Failed",
    "status": "True",
    "reason": "ScriptFailed",
    "message": "",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "observedGeneration": 1,
}
WRITTEN: dict[str, dict[str, Any]] = {
    "an output elsewhere": {"status": {"output": {"uri": f"{THEIRS}/outputs/victim/net/u9"}}},
    "an output above its own": {"status": {"output": {"uri": f"{MINE}/outputs"}}},
    "an archive elsewhere": {
        "status": {
            "earlierPackages": [{"number": 1, "uri": f"{VICTIMS}/net-1.0.mar", "sha256": "ab" * 32}]
        }
    },
    "checkpoints elsewhere": {"spec": {"checkpoint": {"uri": f"{THEIRS}/checkpoints/victim"}}},
    "checkpoints of all": {"spec": {"checkpoint": {"uri": f"{MINE}/checkpoints"}}},
    "the victim's names": {
        "spec": {"checkpoint": {}, "package": {"modelName": "net", "modelVersion": "1.0"}}
    },
}
"""What somebody, or a status that somebody could write, says to have more removed."""
LISTED = (
    *("models/victim/net/u9/net-1.0.mar", "outputs/victim/net/u9/model.pt"),
    *("outputs/attacker/job/u1/../../../victim/net/u9/model.pt", "/etc/passwd", ""),
    *("outputs/attacker/job/u1//model.pt", "outputs/attacker/job/u1/./x"),
    *("outputs/attacker/job/u10/model.pt", "outputs/attacker/job/u1"),
)
"""Keys that a store lists as an answer to the question for a folder's own."""


def job(said: Mapping[str, Any]) -> TrainingJob:
    package = {"serializedFile": "m", "handler": "h.py", "retention": {"versions": 1}}
    fields = {**spec(retention=ALL), **said.get("spec", {})}
    fields["package"] = {**package, **fields.get("package", {})}
    made = training_job(fields, {"conditions": [DONE], **said.get("status", {})})
    meta = {"namespace": "attacker", "name": "job", "uid": "u1"}
    return made.model_copy(update={"metadata": made.metadata.model_copy(update=meta)})


def removal_for(said: Mapping[str, Any], endpoint: str = "") -> tuple[Removal | None, Settings]:
    """Return what is removed at last of a job that says something."""
    settings = Settings(store=StoreSettings(endpoint=endpoint).at(MINE))
    hostile = job(said)
    marked = retain(hostile, hostile.status, (), None, settings, END + timedelta(hours=1)).status
    later = hostile.model_copy(update={"status": marked})
    return retain(later, marked, (), None, settings, END + timedelta(hours=2)).removal, settings


@pytest.mark.parametrize("said", WRITTEN.values(), ids=WRITTEN)
def test_nothing_that_is_written_leads_a_removal_to_another_namespace(said: Any) -> None:
    removal, _ = removal_for(said)
    for target in removal.targets if removal else ():
        assert target.folder.place.bucket == MINE.removeprefix("s3://")
        assert target.folder.prefix in (
            "outputs/attacker/job/u1/",
            "checkpoints/attacker/job/u1/",
            "models/attacker/job/u1/",
        )


@dataclass
class HostileStore:
    """A store that lists what it likes, and notes what it is told to remove."""

    endpoint: str = ""
    listed: tuple[str, ...] = LISTED
    removed: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        if request.method == "DELETE":
            self.removed.append(request.raw_path)
            return web.Response(status=204)
        keys = (f"<Contents><Key>{escape(key)}</Key></Contents>" for key in self.listed)
        return web.Response(text=f"<ListBucketResult>{''.join(keys)}</ListBucketResult>")


@pytest.fixture
async def hostile() -> AsyncIterator[HostileStore]:
    store, app = HostileStore(), web.Application()
    app.router.add_route("*", "/{path:.*}", store.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    store.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield store
    await runner.cleanup()


async def test_nothing_that_a_store_lists_leads_a_removal_out_of_its_folder(
    hostile: HostileStore,
) -> None:
    removal, settings = removal_for({}, hostile.endpoint)
    assert removal is not None
    failures: list[str] = []

    async def opened(_namespace: str) -> Mapping[str, str]:
        return {"AWS_ACCESS_KEY_ID": "attacker.key", "AWS_SECRET_ACCESS_KEY": "secret"}

    async def live(_removal: Removal) -> tuple[Reference, ...]:
        return ()

    removals = Removals(settings.store, opened, live, lambda *told: failures.append(told[2]))
    removals.begin(removal, lambda: None)
    for task in tuple(removals._questions._tasks):
        await task
    found: Removed | None = removals.outcome("u1")
    assert found is None or not found.complete
    bucket = MINE.removeprefix("s3://")
    assert hostile.removed == [f"/{bucket}/outputs/attacker/job/u1/_manifest.json"]
    assert failures == ["Unanswered"]
    await removals.aclose()
