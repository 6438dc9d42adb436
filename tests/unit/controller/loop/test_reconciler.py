"""One reconcile: what it writes, what it leaves alone, and how trouble shows."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

from slipway.accounts.errors import CredentialError
from slipway.controller.loop.reconciler import Outcome
from slipway.kube.errors import (
    Forbidden,
    Invalid,
    KubeError,
    Lingering,
    QuotaExceeded,
    Rejected,
    Unavailable,
    WebhookFailed,
)
from slipway.plan import Delete, Event, Manifest, ObjectRef, Patch, Plan
from slipway.settings import StoreSettings
from slipway.store import store_secrets
from tests.unit.controller.fakes import child, training_job
from tests.unit.controller.world import CREATED, World


async def test_the_first_reconcile_makes_the_children_and_writes_the_status_once() -> None:
    world = World()
    outcome = await world.reconcile()
    assert outcome.result == "wrote"
    assert world.api.writes == [("create", "Service", "job"), ("status", "TrainingJob", "job")]


async def test_a_reconcile_that_changes_nothing_writes_nothing() -> None:
    world = World()
    await world.reconcile()
    world.api.writes.clear()
    outcome = await world.reconcile()
    assert outcome == Outcome("done")
    assert world.api.writes == []


async def test_what_others_changed_is_put_right() -> None:
    world = World()
    await world.reconcile()
    live = world.api.objects[ObjectRef("v1", "Service", "default", "job")]
    world.cache.feed(world.api.put({**live, "spec": {"ports": []}}))
    await world.reconcile()
    assert world.api.writes[-1] == ("apply", "Service", "job")


async def test_a_field_that_is_not_desired_any_more_is_applied_once() -> None:
    world = World()
    world.plan = Plan(apply=(world.service(sessionAffinity="ClientIP"),))
    await world.reconcile()
    world.plan = Plan(apply=(world.service(),))
    world.api.writes.clear()
    await world.reconcile()
    await world.reconcile()
    assert world.api.writes == [("apply", "Service", "job")]


async def test_a_job_is_made_once_and_never_applied_again() -> None:
    world = World()
    job = child(world.job, "Job", "job-train", "batch/v1", spec={"parallelism": 1})
    world.plan = Plan(apply=(job,))
    await world.reconcile()
    world.plan = Plan(apply=({**job, "spec": {"parallelism": 2}},))
    await world.reconcile()
    assert world.api.writes == [("create", "Job", "job-train")]


async def test_an_object_of_somebody_else_is_never_taken_over() -> None:
    world = World()
    foreign = world.service()
    del foreign["metadata"]["ownerReferences"]
    world.api.put(foreign)
    outcome = await world.reconcile()
    assert outcome.result == "refused"
    assert [what for what, *_ in world.api.writes] == ["status"]
    stalled = world.conditions()["Stalled"]
    assert (stalled["status"], stalled["reason"]) == ("True", "NameConflict")
    assert "Service named job" in stalled["message"]
    assert world.api.events[0]["reason"] == "NameConflict"


async def test_stalled_is_reported_once_and_goes_with_its_cause() -> None:
    world = World()
    foreign = world.service()
    del foreign["metadata"]["ownerReferences"]
    stored = world.api.put(foreign)
    await world.reconcile()
    await world.reconcile()
    assert len(world.api.writes) == 1
    assert len(world.api.events) == 1
    del world.api.objects[ObjectRef.of(stored)]
    assert (await world.reconcile()).result == "wrote"
    assert list(world.conditions()) == ["Created"]


async def test_a_predecessors_child_is_waited_for_without_a_condition() -> None:
    world = World()
    old = {**world.job, "metadata": {**world.job["metadata"], "uid": "before"}}
    world.api.put(child(old, "Service", "job"))
    with pytest.raises(Unavailable):
        await world.reconcile()
    assert world.api.writes == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Rejected('admission webhook "a" denied the request', 403), "ApplyRejected"),
        (Invalid("spec.ports: Required value", 422), "InvalidChild"),
        (Forbidden("services is forbidden", 403), "Forbidden"),
        (QuotaExceeded("exceeded quota: team", 403), "QuotaExceeded"),
        (WebhookFailed('failed calling webhook "a": refused', 500), "WebhookFailed"),
    ],
)
async def test_a_refused_apply_stalls_the_object_with_the_servers_words(
    error: KubeError, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()

    async def refuse(_manifest: Manifest) -> Manifest:
        raise error

    monkeypatch.setattr(world.api, "create_new", refuse)
    outcome = await world.reconcile()
    assert outcome.trouble is not None
    own = reason in {"Forbidden", "InvalidChild", "WebhookFailed"}
    assert outcome.result == ("stalled" if own else "refused")
    assert world.conditions()["Stalled"]["reason"] == reason
    assert world.conditions()["Stalled"]["message"] == error.message


def child_of(world: World, kind: str, name: str, api_version: str = "v1") -> Manifest:
    return child(world.job, kind, name, api_version)


async def test_a_refused_child_stops_nothing_but_the_pods_that_may_need_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    job = child_of(world, "Job", "job-old", "batch/v1")
    world.cache.feed(world.api.put({**job, "spec": {"suspend": False}}))
    gone = world.api.put(child_of(world, "ConfigMap", "job-left"))
    world.cache.feed(gone)
    world.plan = Plan(
        apply=(
            child_of(world, "ConfigMap", "job"),
            world.service(),
            child_of(world, "Job", "job-new", "batch/v1"),
        ),
        patch=(Patch(ObjectRef.of(job), {"spec": {"suspend": True}}),),
        delete=(Delete(ObjectRef.of(gone), gone["metadata"]["uid"]),),
    )
    serve = world.api.create_new

    async def refuse(manifest: Manifest) -> Manifest:
        if manifest["kind"] == "ConfigMap":
            raise QuotaExceeded("exceeded quota", 403)
        return await serve(manifest)

    monkeypatch.setattr(world.api, "create_new", refuse)
    assert (await world.reconcile()).result == "refused"
    assert world.api.writes == [
        ("create", "Service", "job"),
        ("patch", "Job", "job-old"),
        ("delete", "ConfigMap", "job-left"),
        ("status", "TrainingJob", "job"),
    ]
    assert world.conditions()["Stalled"]["message"] == "exceeded quota"


async def test_a_child_that_was_gone_before_it_was_deleted_is_followed_up_at_once() -> None:
    world = World()
    gone = child_of(world, "ConfigMap", "job-left")
    world.cache.feed({**gone, "metadata": {**gone["metadata"], "uid": "u", "resourceVersion": "1"}})
    world.plan = Plan(delete=(Delete(ObjectRef.of(gone), "u"),))
    assert (await world.reconcile()).revisit is not None
    assert (await world.reconcile()).revisit is None


async def test_an_api_server_that_is_away_changes_nothing_and_is_left_to_the_back_off() -> None:
    world = World()
    world.api.failures["create"] = Unavailable("connection refused")
    with pytest.raises(Unavailable):
        await world.reconcile()
    assert world.conditions() == {}


async def test_an_object_that_cannot_be_read_says_so_and_is_not_tried_again_in_a_loop() -> None:
    world = World(training_job(nodes="many"))
    outcome = await world.reconcile()
    assert outcome.result == "invalid"
    assert world.conditions()["Stalled"]["reason"] == "InvalidSpec"
    assert "spec.nodes" in world.conditions()["Stalled"]["message"]
    await world.reconcile()
    assert len(world.api.writes) == 1


async def test_a_status_that_cannot_be_read_is_made_anew() -> None:
    world = World({**training_job(), "status": {"phase": "Sideways", "conditions": []}})
    await world.reconcile()
    assert list(world.conditions()) == ["Created"]


async def test_a_job_that_has_ended_is_not_run_again_since_its_status_cannot_be_read() -> None:
    moment = "2026-01-01T00:00:00Z"
    done = {"type": "Succeeded", "status": "True", "reason": "Completed", "message": "done"}
    status = {
        "phase": "Succeeded",
        "conditions": [{**done, "lastTransitionTime": moment}],
        "package": {"uri": "s3://b/m.mar", "sizeBytes": "of another release"},
    }
    world = World({**training_job(), "status": status})
    outcome = await world.reconcile()
    assert outcome.result == "invalid"
    assert world.api.writes == [("status", "TrainingJob", "job")]
    told = world.conditions()["Stalled"]
    assert told["reason"] == "InvalidSpec"
    assert "status.package" in told["message"]
    live = world.api.objects[world.ref]["status"]
    assert live["package"] == status["package"], "what another release wrote stays"


@pytest.mark.parametrize("meta", [{"deletionTimestamp": "2026-01-01T00:00:00Z"}, None])
async def test_an_object_that_goes_or_is_gone_is_left_alone(meta: Manifest | None) -> None:
    world = World()
    if meta is None:
        world.cache.remove(world.ref, world.job["metadata"]["uid"])
    else:
        world.cache.feed(
            world.api.put({**world.job, "metadata": {**world.job["metadata"], **meta}})
        )
    assert await world.reconcile() == Outcome("gone")
    assert world.api.writes == []


@pytest.mark.parametrize("others", [0, 1])
async def test_the_stores_credentials_leave_a_namespace_with_its_last_object(others: int) -> None:
    world = World()
    secret = world.api.put(*store_secrets(StoreSettings(), "default"))
    for number in range(others):
        world.cache.feed(world.api.put(training_job(f"other-{number}")))
    world.cache.feed(world.api.put(_elsewhere(training_job("away"))))
    world.cache.remove(world.ref, world.job["metadata"]["uid"])
    assert await world.reconcile() == Outcome("gone")
    assert (ObjectRef.of(secret) in world.api.objects) is bool(others)


def _elsewhere(obj: Manifest) -> Manifest:
    return {**obj, "metadata": {**obj["metadata"], "namespace": "elsewhere", "uid": "elsewhere"}}


async def test_an_object_that_the_plan_deletes_gets_no_status() -> None:
    world = World()
    world.plan = Plan(
        delete=(Delete(world.ref, world.job["metadata"]["uid"]),), status={"phase": "Failed"}
    )
    await world.reconcile()
    assert world.api.writes == [("delete", "TrainingJob", "job")]


@pytest.mark.parametrize("successor", ["", "another-uid"])
async def test_a_status_for_an_object_that_went_meanwhile_is_no_error(successor: str) -> None:
    world = World()
    world.plan = Plan(status={"conditions": [CREATED]})
    world.api.failures["status"] = Rejected("the test of the uid failed", 422)
    del world.api.objects[world.ref]
    if successor:
        meta = {**world.job["metadata"], "uid": successor}
        world.api.put({**world.job, "metadata": meta})
    await world.reconcile()
    assert world.cache.get(world.ref) is None


async def test_a_status_of_an_object_that_was_changed_unseen_is_planned_anew() -> None:
    world = World()
    event = Event("Normal", "Created", "The children are there.")
    world.plan = Plan(status={"conditions": [CREATED]}, events=(event,))
    world.api.put({**world.api.objects[world.ref], "spec": {**world.job["spec"], "nodes": 2}})
    outcome = await world.reconcile()
    assert outcome.revisit is not None
    assert outcome.revisit < 1
    assert "status" not in world.api.objects[world.ref]
    assert not world.api.events
    await world.reconcile()
    stored = world.api.objects[world.ref]
    assert (stored["status"], stored["spec"]["nodes"]) == ({"conditions": [CREATED]}, 2)
    assert len(world.api.events) == 1


async def test_a_status_is_not_written_where_the_object_changed_while_it_was_planned_for() -> None:
    world = World()
    create = world.api.create_new

    async def change_meanwhile(manifest: Manifest) -> Manifest:
        spec = {**world.job["spec"], "nodes": 2}
        world.cache.feed(world.api.put({**world.api.objects[world.ref], "spec": spec}))
        return await create(manifest)

    world.api.create_new = change_meanwhile  # type: ignore[method-assign]
    await world.reconcile()
    assert world.api.writes == [("create", "Service", "job")]
    await world.reconcile()
    assert world.api.writes[1:] == [("status", "TrainingJob", "job")]


class Refusing:
    """Refuses a status that has a field ``bad``, as the CRD would."""

    def __init__(self, world: World) -> None:
        self._write = world.api.write_status

    async def write_status(self, obj: Manifest, status: Manifest) -> Manifest:
        if "bad" in status:
            raise Rejected("status.bad in body must be of type string" + "x" * 5000, 422)
        return await self._write(obj, status)


async def test_a_failure_that_nobody_foresaw_is_told_on_the_object_and_mended() -> None:
    world = World()
    world.api.write_status = Refusing(world).write_status  # type: ignore[method-assign]
    world.plan = Plan(status={"conditions": [CREATED], "bad": 1})
    with pytest.raises(Rejected) as refused:
        await world.reconcile()
    await world.reconciler.tell_failure(world.ref, refused.value)
    stalled = world.conditions()["Stalled"]
    assert (stalled["status"], stalled["reason"]) == ("True", "ReconcileFailed")
    assert stalled["message"].startswith("status.bad in body")
    assert len(stalled["message"]) <= 512
    world.plan = Plan(status={"conditions": [CREATED]})
    await world.reconcile()
    assert list(world.conditions()) == ["Created"]


async def test_a_namesakes_child_that_stays_is_told_by_its_name() -> None:
    world = World()
    old = {**world.job, "metadata": {**world.job["metadata"], "uid": "before"}}
    world.cache.feed(world.api.put(child(old, "Service", "job")))
    with pytest.raises(Lingering) as waits:
        await world.reconcile()
    await world.reconciler.tell_failure(world.ref, waits.value)
    stalled = world.conditions()["Stalled"]
    assert stalled["reason"] == "NameConflict"
    assert "Service job of the object's predecessor is still there" in stalled["message"]


async def test_where_no_status_can_be_written_the_failure_is_an_event() -> None:
    world = World()
    world.api.failures["status"] = Rejected("it is invalid", 422)
    await world.reconciler.tell_failure(world.ref, ZeroDivisionError("division by zero\nmore"))
    await world.events.post()
    (event,) = world.api.events
    assert (event["type"], event["reason"]) == ("Warning", "ReconcileFailed")
    assert event["note"] == "ZeroDivisionError: division by zero"


async def test_deleting_what_is_gone_or_was_replaced_is_fine() -> None:
    world = World()
    ref = ObjectRef("batch/v1", "Job", "default", "job-train")
    world.api.put(child(world.job, "Job", "job-train", "batch/v1"))
    world.plan = Plan(
        delete=(Delete(ref, "another"), Delete(ref.__class__("v1", "Service", "default", "x"), "y"))
    )
    await world.reconcile()
    assert ref in world.api.objects


async def test_a_patch_is_sent_until_the_object_has_what_it_sets() -> None:
    world = World()
    job = world.api.put(child(world.job, "Job", "job-train", "batch/v1", spec={"suspend": True}))
    world.cache.feed(job)
    world.plan = Plan(patch=(Patch(ObjectRef.of(job), {"spec": {"suspend": False}}),))
    await world.reconcile()
    await world.reconcile()
    assert world.api.writes == [("patch", "Job", "job-train")]


async def test_counts_alone_are_written_at_most_once_in_the_interval() -> None:
    world = World()
    await world.reconcile()
    world.api.writes.clear()
    world.seconds = 1.0
    world.plan = Plan(
        apply=world.plan.apply, status={"conditions": [CREATED], "nodes": {"ready": 1}}
    )
    outcome = await world.reconcile()
    assert world.api.writes == []
    assert outcome.revisit == pytest.approx(9.0)
    world.seconds = 10.0
    await world.reconcile()
    assert world.api.writes == [("status", "TrainingJob", "job")]


async def test_a_turned_condition_is_written_at_once() -> None:
    world = World()
    await world.reconcile()
    world.api.writes.clear()
    turned = {**CREATED, "status": "False", "reason": "SourceNotFound"}
    world.plan = Plan(apply=world.plan.apply, status={"conditions": [turned]})
    await world.reconcile()
    assert world.api.writes == [("status", "TrainingJob", "job")]


async def test_a_status_that_the_server_fills_in_does_not_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    serve = world.api.write_status

    async def fill_in(obj: Manifest, status: Manifest) -> Manifest:
        answer = await serve(obj, status)
        return {**answer, "status": {**answer["status"], "default": 1}}

    monkeypatch.setattr(world.api, "write_status", fill_in)
    for _ in range(3):
        await world.reconcile()
    assert world.api.writes == [("create", "Service", "job"), ("status", "TrainingJob", "job")]


async def test_events_are_recorded_after_the_status_and_not_repeated() -> None:
    world = World()
    event = Event("Normal", "Created", "The children are there.")
    world.plan = Plan(apply=world.plan.apply, status=world.plan.status, events=(event,))
    await world.reconcile()
    await world.reconcile()
    (posted,) = world.api.events
    assert posted["regarding"]["uid"] == world.job["metadata"]["uid"]
    assert (posted["reason"], posted["note"]) == ("Created", "The children are there.")


class TestSharedSecret:
    SECRET: ClassVar[Manifest] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "slipway-store",
            "namespace": "default",
            "labels": {"app.kubernetes.io/managed-by": "slipway"},
        },
        "stringData": {"AWS_DEFAULT_REGION": "here"},
    }

    async def test_it_is_written_where_there_is_none_and_then_left(self) -> None:
        world = World()
        world.plan = Plan(apply=(self.SECRET,))
        await world.reconcile()
        await world.reconcile()
        assert world.api.writes == [("apply", "Secret", "slipway-store")]

    async def test_one_without_our_label_is_the_namespaces_own(self) -> None:
        world = World()
        own = {**self.SECRET, "metadata": {"name": "slipway-store", "namespace": "default"}}
        world.api.put(own)
        world.plan = Plan(apply=(self.SECRET,))
        assert (await world.reconcile()).result == "done"
        assert world.api.writes == []

    async def test_new_credentials_are_applied(self) -> None:
        world = World()
        world.plan = Plan(apply=(self.SECRET,))
        await world.reconcile()
        world.plan = Plan(apply=({**self.SECRET, "stringData": {"AWS_DEFAULT_REGION": "there"}},))
        await world.reconcile()
        assert len(world.api.writes) == 2

    async def test_what_has_its_pods_is_told_as_it_is_while_the_store_is_away(self) -> None:
        world = World(fill=no_account)
        job = child_of(world, "Job", "job-train", "batch/v1")
        world.cache.feed(world.api.put({**job, "spec": {}}))
        world.plan = Plan(apply=(self.SECRET, job), status={"conditions": [CREATED]})
        outcome = await world.reconcile()
        assert (outcome.result, outcome.revisit) == ("done", 15.0)
        assert list(world.conditions()) == ["Created"]

    async def test_what_has_none_yet_waits_for_the_store_and_says_so(self) -> None:
        world = World(fill=no_account)
        job = child_of(world, "Job", "job-train", "batch/v1")
        world.plan = Plan(apply=(self.SECRET, job), status={"conditions": [CREATED]})
        assert (await world.reconcile()).result == "stalled"
        assert world.conditions()["Stalled"]["reason"] == "StoreUnavailable"
        assert ("create", "Job", "job-train") not in world.api.writes


async def no_account(_namespace: str, _live: Mapping[str, str] | None) -> Mapping[str, str]:
    raise CredentialError("The store does not answer.")
