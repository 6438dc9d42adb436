"""Answers that go on step after step, alone and in sequences."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from slipway_server.answers import Answer
from slipway_server.queue import MOST_PARTS, Job
from tests.unit.server.conftest import Running, Served, eventually, running, served, write_archive
from tests.unit.server.test_sequences import CONFIG, HEADER, say, write_talks

STEPS = "continuousBatching: true\nbatchSize: 4\nmaxBatchDelay: 1\n"
BOTH = CONFIG + "continuousBatching: true\n"
LONG = 1_000_000
"""Steps that no test waits for."""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(write_talks(tmp_path_factory.mktemp("steps") / "echo.mar", STEPS)) as process:
        yield process


async def parts(answer: aiohttp.ClientResponse) -> AsyncIterator[Any]:
    """Yield what is said step after step."""
    text, decoder = "", json.JSONDecoder()
    async for chunk in answer.content.iter_any():
        text += chunk.decode()
        while text:
            try:
                value, end = decoder.raw_decode(text)
            except ValueError:
                break
            yield value
            text = text[end:]


async def hear(server: Running, asked: Any, sequence: str | None = None) -> list[Any]:
    """Return all that is said to a request."""
    headers = {HEADER: sequence} if sequence else {}
    async with server.session.post(
        server.url("/predictions/echo"), json=asked, headers=headers
    ) as answer:
        assert answer.status == 200, await answer.text()
        return [part async for part in parts(answer)]


async def test_what_goes_on_is_sent_step_by_step_until_its_criterion_stops_it(
    server: Running,
) -> None:
    told = await hear(server, {"say": 1, "steps": 5})
    assert [part["left"] for part in told] == [5, 4, 3, 2, 1, 0]


async def test_an_answer_that_does_not_go_on_is_an_ordinary_one(server: Running) -> None:
    async with server.session.post(server.url("/predictions/echo"), json={"say": 1}) as answer:
        assert answer.headers["content-length"]
        assert (await answer.json(content_type=None))["left"] == 0


async def test_new_requests_join_those_that_go_on_as_far_as_there_are_places(
    server: Running,
) -> None:
    told = await asyncio.gather(
        *[hear(server, {"say": number, "steps": 60 + number}) for number in range(12)]
    )
    assert [len(parts) for parts in told] == [61 + number for number in range(12)]
    sizes = {part["size"] for parts in told for part in parts}
    assert max(sizes) == 4, "as many as batchSize"


async def test_a_client_that_leaves_midway_gives_up_its_place(server: Running) -> None:
    answers = []
    for number in range(4):
        answer = await server.session.post(
            server.url("/predictions/echo"), json={"say": number, "steps": LONG}
        )
        await anext(parts(answer))
        answers.append(answer)
    waiting = asyncio.create_task(hear(server, {"say": "next"}))
    await eventually(lambda: server.waiting(1))
    answers[0].close()
    [told] = await waiting
    assert told["size"] == 4
    for answer in answers[1:]:
        answer.close()
    assert [part["size"] for part in await hear(server, {"say": "last"})][-1] <= 4


async def test_a_client_that_reads_nothing_of_what_goes_on_is_given_up(server: Running) -> None:
    _reader, writer = await asyncio.open_connection("127.0.0.1", server.served.ports[0], limit=64)
    body = json.dumps({"say": "x" * 400_000, "steps": LONG}).encode()
    head = "POST /predictions/echo HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    before = server.resident()
    sizes = [LONG]

    async def is_alone() -> bool:
        sizes.append((await hear(server, {"say": 1}))[0]["size"])
        return len(sizes) > 3 and sizes[-1] == 1

    await eventually(is_alone)
    assert server.resident() - before < 64 << 20
    writer.close()


async def test_a_client_that_reads_nothing_of_many_short_parts_is_given_up() -> None:
    job = Job({}, [])
    for _ in range(MOST_PARTS):
        job.put(Answer(200, b"."), 1 << 30)
    assert not job.is_given_up
    for _ in range(MOST_PARTS):
        job.put(Answer(200, b"."), 1 << 30)
    assert job.is_given_up
    assert job.parts.qsize() == MOST_PARTS + 1, "the parts, and their end"


@pytest.mark.parametrize(("asked", "status"), [({"refuse": 1}, 422), ({"raise": 1}, 503)])
async def test_an_error_ends_all_that_goes_on_in_its_step(
    server: Running, asked: dict[str, Any], status: int
) -> None:
    answer = await server.session.post(
        server.url("/predictions/echo"), json={"say": 1, "steps": LONG}
    )
    await anext(parts(answer))
    assert (await say(server, None, 2, **asked))[0] == status
    assert f'"code": {status}' in (await answer.read()).decode()
    assert (await hear(server, {"say": 3}))[0]["size"] == 1


async def test_a_dead_worker_costs_what_goes_on_in_it_and_the_next_one_goes_on(
    server: Running,
) -> None:
    answer = await server.session.post(
        server.url("/predictions/echo"), json={"say": 1, "steps": LONG}
    )
    await anext(parts(answer))
    assert (await say(server, None, 2, kill=1))[0] == 500
    assert "Worker died." in (await answer.read()).decode()
    assert (await hear(server, {"say": 3, "steps": 1}))[0]["seen"] == [3]


async def test_a_sequence_hears_its_next_request_while_the_one_before_goes_on(
    archive: Path,
) -> None:
    async with running(write_talks(archive, BOTH)) as server:
        answer = await server.session.post(
            server.url("/predictions/echo"),
            json={"say": "on", "steps": LONG},
            headers={HEADER: "talk"},
        )
        heard = parts(answer)
        assert (await anext(heard))["seen"] == ["on"]
        assert (await say(server, "talk", "beside"))[1]["seen"] == ["on", "beside"]
        while (await anext(heard))["seen"] != ["on", "beside"]:
            pass
        answer.close()
        told = [(await say(server, "talk", number))[1] for number in range(3)]
        assert told[-1]["seen"] == ["on", "beside", 0, 1, 2]


async def test_what_goes_on_is_answered_to_its_end_after_sigterm(archive: Path) -> None:
    async with running(write_talks(archive, STEPS)) as server:
        asked = asyncio.create_task(hear(server, {"say": 1, "steps": 300}))
        await eventually(server.has_begun)
        assert await server.stop() == 0
        assert len(await asked) == 301


@pytest.mark.parametrize(
    "criteria", ["[]", "[None]", "[lambda answer: 1 / 0]", "5", "[lambda answer: False] * 0 or 'x'"]
)
async def test_criteria_that_are_none_end_no_worker(archive: Path, criteria: str) -> None:
    text = (
        "def handle(data, context):\n"
        f"  context.stopping_criteria = {criteria}\n"
        "  return None if data is None else ['answer'] * len(data)\n"
    )
    write_archive(archive, {"handler.py": text, "mc.yaml": STEPS}, configFile="mc.yaml")
    async with running(archive) as server:
        for _ in range(3):
            assert (await server.post({}))[0] in (200, 503)
        assert await server.deaths() == 0


async def test_a_criterion_that_fails_ends_also_what_another_one_lets_go_on(archive: Path) -> None:
    text = (
        "def handle(data, context):\n"
        "  context.stopping_criteria = [lambda answer: False, lambda answer: 1 / 0]\n"
        "  return None if data is None else ['answer'] * len(data)\n"
    )
    config = "continuousBatching: true\nbatchSize: 2\nmaxBatchDelay: 60000\n"
    write_archive(archive, {"handler.py": text, "mc.yaml": config}, configFile="mc.yaml")
    async with running(archive) as server:
        answers = await asyncio.gather(server.post({}), server.post({}))
        assert [status for status, _ in answers] == [503, 503]
