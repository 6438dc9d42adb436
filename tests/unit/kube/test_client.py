"""Requests to an API server that is slow, overloaded or away."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration

from slipway.kube import client as module
from slipway.kube.answers.response import MOST_ANSWER_BYTES
from slipway.kube.client import Client
from slipway.kube.connection import Connection
from slipway.kube.errors import AlreadyExists, Conflict, Rejected, Unavailable
from slipway.kube.resources import resource_of
from slipway.plan import Delete, ObjectRef
from tests.unit.controller.fakes import training_job

REF = ObjectRef("v1", "Service", "default", "web")
Answer = Callable[[web.Request], web.Response | Awaitable[web.Response]]


class ApiServer:
    """Answers requests with what it is given, in turn; the last answer stays."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[web.Request] = []
        self.bodies: list[str] = []
        self.observed: list[tuple[str, str, bool, int]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        self.bodies.append(await request.text())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        found = answer(request)
        return found if isinstance(found, web.Response) else await found

    def observe(self, method: str, path: str, watch: bool, status: int) -> None:
        self.observed.append((method, path, watch, status))


def says(status: int, body: Any = None, **headers: str) -> Answer:
    return lambda _: web.json_response(
        body or {"kind": "Status", "message": "why"}, status=status, headers=headers
    )


@pytest.fixture
def api() -> ApiServer:
    return ApiServer()


@pytest.fixture
async def client(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setattr(module, "_RETRY_WAITS", (0.0, 0.0))
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", api.handle)
    server = TestServer(application)
    await server.start_server()
    configuration = Configuration(host=str(server.make_url("/")).rstrip("/"))
    connection = Connection(configuration, api.observe, in_cluster=False)
    yield Client(connection)
    await connection.close()
    await server.close()


async def test_a_failure_that_passes_is_asked_again(api: ApiServer, client: Client) -> None:
    api.answers = [says(503), says(429), says(200, {"kind": "Service"})]
    assert await client.get(REF) == {"kind": "Service"}
    assert [status for *_, status in api.observed] == [503, 429, 200]


async def test_a_failure_that_stays_is_told_after_three_attempts(
    api: ApiServer, client: Client
) -> None:
    api.answers = [says(500)]
    with pytest.raises(Unavailable, match="why"):
        await client.get(REF)
    assert len(api.requests) == 3


async def test_a_long_wait_that_the_server_asks_for_is_left_to_the_queue(
    api: ApiServer, client: Client
) -> None:
    api.answers = [says(429, **{"Retry-After": "60"})]
    with pytest.raises(Unavailable) as told:
        await client.get(REF)
    assert told.value.retry_after == 60
    assert len(api.requests) == 1


async def test_a_refusal_is_not_asked_again(api: ApiServer, client: Client) -> None:
    api.answers = [says(409)]
    with pytest.raises(Conflict, match="why"):
        await client.apply(training_job())
    assert len(api.requests) == 1


async def test_a_namespace_that_goes_is_not_asked_again(api: ApiServer, client: Client) -> None:
    going = {"message": "why", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}
    api.answers = [says(403, going)]
    with pytest.raises(Unavailable, match="why"):
        await client.apply(training_job())
    assert len(api.requests) == 1


async def test_what_is_not_there_is_none(api: ApiServer, client: Client) -> None:
    api.answers = [says(404)]
    assert await client.get(REF) is None


async def test_a_server_that_is_away_is_unavailable(client: Client, api: ApiServer) -> None:
    def drop(request: web.Request) -> web.Response:
        assert request.transport
        request.transport.abort()
        return web.Response()

    api.answers = [drop]
    with pytest.raises(Unavailable, match="did not answer"):
        await client.get(REF)
    assert {status for *_, status in api.observed} == {0}


def after(seconds: float) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.json_response({"kind": "Service"})

    return answer


async def test_a_write_has_the_time_that_webhooks_may_take_and_a_read_has_not(
    api: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    monkeypatch.setattr(module, "_WRITE_TIMEOUT", aiohttp.ClientTimeout(total=120))
    api.answers = [after(0.5)]
    assert await client.apply(training_job()) == {"kind": "Service"}
    assert len(api.requests) == 1
    with pytest.raises(Unavailable):
        await client.get(REF)
    assert [status for *_, status in api.observed] == [200, 0, 0, 0], "a read is asked again"


async def test_a_write_that_had_its_whole_time_is_left_to_the_back_off(
    api: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WRITE_TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    api.answers = [after(5)]
    with pytest.raises(Unavailable, match="did not answer"):
        await client.apply(training_job())
    assert [status for *_, status in api.observed] == [0]


async def test_a_review_that_is_posted_waits_no_longer_than_a_read(
    api: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    api.answers = [after(5)]
    with pytest.raises(Unavailable):
        await client.request("post", "/apis/authentication.k8s.io/v1/tokenreviews", {})


async def test_an_apply_is_forced_and_has_one_manager(api: ApiServer, client: Client) -> None:
    api.answers = [says(200, {"kind": "TrainingJob"})]
    await client.apply(training_job())
    (request,) = api.requests
    assert request.method == "PATCH"
    assert request.path == "/apis/slipway.dev/v1alpha1/namespaces/default/trainingjobs/job"
    assert request.content_type == "application/apply-patch+yaml"
    assert dict(request.query) == {"fieldManager": "slipway", "force": "true"}


async def test_a_status_is_written_as_a_whole_and_bound_to_a_version(
    api: ApiServer, client: Client
) -> None:
    api.answers = [says(200, {"kind": "TrainingJob"})]
    job = training_job()
    job["metadata"]["resourceVersion"] = "7"
    await client.write_status(job, {"phase": "Running"})
    (request,) = api.requests
    assert request.method == "PATCH"
    assert request.path == "/apis/slipway.dev/v1alpha1/namespaces/default/trainingjobs/job/status"
    assert request.content_type == "application/json-patch+json"
    assert dict(request.query) == {"fieldManager": "slipway"}
    assert json.loads(api.bodies[0]) == [
        {"op": "add", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "add", "path": "/status", "value": {"phase": "Running"}},
    ]


async def test_what_is_created_tells_an_object_in_the_way_from_a_refusal(
    api: ApiServer, client: Client
) -> None:
    job = {**training_job(), "apiVersion": "batch/v1", "kind": "Job"}
    api.answers = [says(409, {"reason": "AlreadyExists"}), says(422, {"message": "spec: Required"})]
    with pytest.raises(AlreadyExists):
        await client.create_new(job)
    with pytest.raises(Rejected, match="Required"):
        await client.create_new(job)
    assert {request.method for request in api.requests} == {"POST"}


async def test_a_delete_is_bound_to_the_uid_and_runs_in_the_background(
    api: ApiServer, client: Client
) -> None:
    api.answers = [says(200)]
    await client.delete(Delete(REF, "uid-1"))
    assert '"propagationPolicy": "Background"' in api.bodies[0]
    assert '"uid": "uid-1"' in api.bodies[0]


async def test_a_long_list_is_read_page_by_page(api: ApiServer, client: Client) -> None:
    one, two = ({"metadata": {"uid": uid, "resourceVersion": uid}} for uid in "12")
    first = {"metadata": {"continue": "more", "resourceVersion": "7"}, "items": [one]}
    last = {"metadata": {"resourceVersion": "7"}, "items": [two]}
    api.answers = [says(200, first), says(200, last)]
    resource = resource_of(REF)
    assert await client.uids(resource, "", {"labelSelector": "a=b"}) == ({"1": 1, "2": 2}, 7)
    assert api.requests[1].query["continue"] == "more"
    assert "PartialObjectMetadataList" in api.requests[0].headers["Accept"]


async def test_a_list_of_large_objects_is_asked_for_a_few_at_a_time(
    api: ApiServer, client: Client
) -> None:
    large = {"metadata": {"resourceVersion": "7", "padding": "x" * MOST_ANSWER_BYTES}}
    small = {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"uid": "1"}}]}
    api.answers = [says(200, large), says(200, large), says(200, small)]
    assert await client.uids(resource_of(REF), "", {}) == ({"1": 0}, 7)
    sizes = [int(request.query["limit"]) for request in api.requests]
    assert sizes == [500, 62, 7]


async def test_a_list_of_very_many_values_is_asked_for_a_few_at_a_time(
    api: ApiServer, client: Client
) -> None:
    meta = {"resourceVersion": "5"}
    many = {"metadata": meta, "items": [{"metadata": {"uid": "a", "labels": {}}}] * 60_000}
    api.answers = [says(200, many), says(200, many), says(200, {"metadata": meta, "items": []})]
    assert [page["items"] async for page in client.pages(resource_of(REF), "default")] == [[]]
    assert [request.query["limit"] for request in api.requests] == ["500", "62", "7"]


@pytest.mark.parametrize("body", ["null", "[]", "1"])
async def test_an_answer_that_is_no_object_is_none(
    api: ApiServer, client: Client, body: str
) -> None:
    api.answers = [lambda _: web.Response(text=body)]
    with pytest.raises(Unavailable, match="no JSON object"):
        await client.get(REF)
