"""Who gets the operator's metrics: by the API server's word, remembered for a bounded time."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from slipway.telemetry import access as module
from slipway.telemetry.access import (
    MOST_REVIEWS,
    Access,
    Refusal,
    ReviewFailedError,
    for_readers_only,
)
from slipway.telemetry.metrics import Metrics
from slipway.telemetry.server import HttpServer
from tests.harness.ports import free_port

FORBIDDEN = Refusal(403, "You may not.")


class Cluster:
    """Stands for the API server: the holder of the token ``good`` may read, others may not."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.allowed = {"good"}
        self.away = False
        self.now = 1000.0

    async def review(self, token: str) -> Refusal | None:
        self.asked.append(token)
        await asyncio.sleep(0)
        if self.away:
            raise ReviewFailedError("nobody answers")
        return None if token in self.allowed else FORBIDDEN

    def clock(self) -> float:
        return self.now


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def access(cluster: Cluster) -> Access:
    return Access(cluster.review, cluster.clock)


async def status(access: Access, token: str) -> int:
    refusal = await access.refusal(f"Bearer {token}")
    return refusal.status if refusal else 200


async def test_a_token_that_may_read_is_asked_about_once_a_minute(
    access: Access, cluster: Cluster
) -> None:
    for seconds in (0, 30, 29):
        cluster.now += seconds
        assert await status(access, "good") == 200
    assert cluster.asked == ["good"]
    cluster.now += 2
    assert await status(access, "good") == 200
    assert cluster.asked == ["good", "good"]


async def test_a_token_that_lost_its_right_reads_no_longer_after_a_minute(
    access: Access, cluster: Cluster
) -> None:
    assert await status(access, "good") == 200
    cluster.allowed.clear()
    cluster.now += 61
    assert await status(access, "good") == 403
    cluster.away = True
    cluster.now += 11
    assert await status(access, "good") == 503, "it is not among those who read before"


async def test_a_token_that_may_not_read_is_asked_about_every_ten_seconds(
    access: Access, cluster: Cluster
) -> None:
    assert [await status(access, "bad") for _ in range(5)] == [403] * 5
    assert cluster.asked == ["bad"]
    cluster.allowed.add("bad")
    cluster.now += 11
    assert await status(access, "bad") == 200


async def test_only_who_has_read_before_reads_while_the_api_server_is_away_and_not_for_ever(
    access: Access, cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    assert await status(access, "good") == 200
    cluster.away = True
    cluster.now += 300
    assert [await status(access, token) for token in ("good", "new")] == [200, 503]
    assert len([line for line in caplog.messages if "nobody answers" in line]) == 1
    cluster.now += 301
    assert await status(access, "good") == 503
    cluster.away = False
    assert await status(access, "good") == 200


async def test_an_api_server_that_hangs_holds_a_request_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_REVIEW_SECONDS", 0.05)
    running: list[str] = []
    most = 0

    async def hang(token: str) -> Refusal | None:
        nonlocal most
        running.append(token)
        most = max(most, len(running))
        try:
            await asyncio.Event().wait()
        finally:
            running.remove(token)
        return None

    access = Access(hang)
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(status(access, f"t{n}") for n in range(20)))
    assert answers == [503] * 20
    assert (most, running) == (MOST_REVIEWS, []), "the others waited for their turn"


@pytest.mark.parametrize("token", ["good", "bad"])
async def test_many_at_once_with_one_token_ask_once_for_each_place_in_turn(
    access: Access, cluster: Cluster, token: str
) -> None:
    answers = await asyncio.gather(*(status(access, token) for _ in range(50)))
    assert set(answers) == {200 if token == "good" else 403}
    assert 1 <= cluster.asked.count(token) == len(cluster.asked) <= MOST_REVIEWS


async def test_who_has_read_before_does_not_wait_behind_strangers(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = asyncio.Event()

    async def review(token: str) -> Refusal | None:
        if token not in cluster.allowed:
            await held.wait()
        return await cluster.review(token)

    monkeypatch.setattr(module, "_REVIEW_SECONDS", 3600.0)
    access = Access(review, cluster.clock)
    assert await status(access, "good") == 200
    cluster.now += 61
    strangers = [asyncio.create_task(status(access, f"bad-{n}")) for n in range(20)]
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        assert await status(access, "good") == 200
    assert cluster.asked == ["good", "good"], "it was asked about anew"
    held.set()
    assert await asyncio.gather(*strangers) == [403] * 20


async def test_any_number_of_bad_tokens_is_remembered_in_bounded_memory_and_evicts_no_reader(
    access: Access, cluster: Cluster
) -> None:
    assert await status(access, "good") == 200
    for number in range(1000):
        assert await status(access, f"bad-{number}") == 403
    assert len(access._refused) <= 256
    assert "good" not in cluster.asked[1:]
    assert await status(access, "good") == 200
    assert "good" not in cluster.asked[1:]


@given(st.text())
def test_what_is_no_bearer_token_is_never_asked_about(header: str) -> None:
    cluster = Cluster()
    refusal = asyncio.run(Access(cluster.review).refusal(header))
    assert refusal is not None
    if cluster.asked:
        assert header.lower().startswith("bearer ")
        assert cluster.asked[0].isascii()
    else:
        assert refusal.status == 401


@pytest.mark.parametrize(
    "header",
    ["", "good", "Bearer", "Bearer ", "Basic good", "Bearer good evil", "Bearer g\udcffd"],
)
async def test_a_header_without_a_token_is_answered_with_how_to_send_one(
    header: str, access: Access, cluster: Cluster
) -> None:
    refusal = await access.refusal(header)
    assert refusal is not None
    assert refusal.status == 401
    assert "Authorization: Bearer TOKEN" in refusal.sentence
    assert cluster.asked == []


@pytest.fixture
async def url(access: Access) -> AsyncIterator[str]:
    server = HttpServer(Metrics().page, list, list, [for_readers_only(access)])
    await server.start(free_port())
    yield f"http://127.0.0.1:{server.port}"
    await server.close()


@pytest.mark.parametrize(
    ("path", "token", "status", "says"),
    [
        ("/metrics", "good", 200, "slipway_leader"),
        ("/metrics", "bad", 403, FORBIDDEN.sentence),
        ("/metrics", "", 401, "Bearer TOKEN"),
        ("/%6detrics", "", 401, "Bearer TOKEN"),
        ("/healthz/../metrics", "", 401, "Bearer TOKEN"),
        ("//metrics", "", 401, "Bearer TOKEN"),
        ("/healthz", "", 200, "ok"),
        ("/readyz", "", 200, "ok"),
    ],
)
async def test_the_metrics_are_for_readers_and_the_probes_for_everybody(
    url: str, path: str, token: str, status: int, says: str
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with ClientSession() as session, session.get(f"{url}{path}", headers=headers) as answer:
        assert answer.status == status
        assert says in await answer.text()
        assert answer.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)
