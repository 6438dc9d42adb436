"""Sequences: their order, their workers, their bounds, and what ends them."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.conftest import (
    START_SECONDS,
    Running,
    Served,
    eventually,
    running,
    served,
    write_archive,
)

TALKS = (Path(__file__).parent / "archives/talks.py").read_text()
CONFIG = (
    "sequenceBatching: true\nsequenceMaxIdleMSec: 600000\nmaxNumSequence: 64\n"
    "maxSequenceJobQueueSize: 8\nbatchSize: 4\nmaxBatchDelay: 1\nminWorkers: 2\n"
)
FEW = CONFIG.replace("64", "2").replace("batchSize: 4", "batchSize: 1")
HEADER = "ts_request_sequence_id"


def write_talks(archive: Path, config: str) -> Path:
    files = {"handler.py": TALKS, "mc.yaml": config}
    return write_archive(archive, files, configFile="mc.yaml")


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(write_talks(tmp_path_factory.mktemp("talks") / "echo.mar", CONFIG)) as process:
        yield process


async def say(
    server: Running, sequence: str | None, say: Any, header: str = HEADER, **more: Any
) -> tuple[int, Any]:
    """Say something in a sequence; return the status and the answer."""
    headers = {} if sequence is None else {header: sequence}
    asked = {"say": say, **more}
    async with server.session.post(
        server.url("/predictions/echo"), json=asked, headers=headers
    ) as answer:
        return answer.status, json.loads(await answer.read() or b"null")


async def test_what_is_said_at_once_in_many_sequences_is_heard_in_order_by_one_worker_each(
    server: Running,
) -> None:
    async def talk(name: str) -> list[Any]:
        return [(await say(server, name, number))[1] for number in range(20)]

    names = [f"talk-{number}" for number in range(16)]
    for told in await asyncio.gather(*[talk(name) for name in names]):
        assert told[-1]["seen"] == list(range(20))
        assert len({one["pid"] for one in told}) == 1


async def test_both_workers_have_sequences_and_batches_have_more_than_one(
    server: Running,
) -> None:
    async def has_batches() -> bool:
        told = await asyncio.gather(*[say(server, f"wide-{number}", 1) for number in range(32)])
        assert len({one["pid"] for _, one in told}) == 2
        return any(one["size"] > 1 for _, one in told)

    await eventually(has_batches)  # as soon as they come faster than workers answer


async def test_requests_of_one_sequence_that_wait_are_begun_in_the_order_they_came(
    server: Running, tmp_path: Path
) -> None:
    begin, gate = tmp_path / "begin", tmp_path / "gate"
    first = asyncio.create_task(say(server, "queue", 0, begin=str(begin), gate=str(gate)))
    await eventually(begin.exists)
    others = []
    for number in range(1, 9):
        others.append(asyncio.create_task(say(server, "queue", number)))
        await eventually(partial(server.waiting, number))
    status, told = await say(server, "queue", 9)
    assert (status, told["type"]) == (503, "ServiceUnavailableException")
    assert "maxSequenceJobQueueSize" in told["message"]
    gate.touch()
    assert (await first)[1]["size"] == 1
    told = [(await one)[1] for one in others]
    assert [one["seen"][-1] for one in told] == list(range(1, 9))
    assert {one["size"] for one in told} == {1}, "one of each sequence in a batch"


async def test_a_request_without_a_sequence_begins_one_whose_name_its_handler_reads(
    server: Running,
) -> None:
    told = [(await say(server, None, number))[1] for number in range(2)]
    assert [one["start"] for one in told] == ["true", "true"]
    assert told[0]["sequence"] != told[1]["sequence"]
    _, more = await say(server, told[0]["sequence"], "more")
    assert (more["seen"], more["start"]) == ([0, "more"], None)


@pytest.mark.parametrize("header", ["ts-request-sequence-id", "TS_Request_Sequence_ID"])
async def test_a_client_may_write_hyphens_since_proxies_let_no_underscores_pass(
    server: Running, header: str
) -> None:
    await say(server, f"by-{header}", 1)
    _, told = await say(server, f"by-{header}", 2, header)
    assert told["seen"] == [1, 2]


@pytest.mark.parametrize(
    "name", ["a" * 1025, "ä" * 1025, "a\x01b", "a\x7fb", "a\u200bb", "a" * 1_000_000]
)
async def test_what_is_no_name_of_a_sequence_is_refused_and_costs_no_place(
    server: Running, name: str
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.served.ports[0])
    body = b'{"say": 1}'
    head = f"POST /predictions/echo HTTP/1.1\r\nhost: a\r\n{HEADER}: {name}\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    assert (await asyncio.wait_for(reader.read(12), START_SECONDS)).endswith(b" 400")
    writer.close()
    assert (await say(server, "still", 1))[0] == 200


async def test_a_request_that_names_two_sequences_is_refused(server: Running) -> None:
    headers = [(HEADER, "a"), ("ts-request-sequence-id", "b")]
    async with server.session.post(
        server.url("/predictions/echo"), json={"say": 1}, headers=headers
    ) as answer:
        assert (answer.status, "more than once" in await answer.text()) == (400, True)


async def test_a_request_whose_client_has_gone_is_not_heard_and_the_next_ones_are(
    server: Running, tmp_path: Path
) -> None:
    begin, gate = tmp_path / "begin", tmp_path / "gate"
    first = asyncio.create_task(say(server, "gone", 0, begin=str(begin), gate=str(gate)))
    await eventually(begin.exists)
    second = asyncio.create_task(say(server, "gone", 1))
    await eventually(lambda: server.waiting(1))
    third = asyncio.create_task(say(server, "gone", 2))
    await eventually(lambda: server.waiting(2))
    second.cancel()
    await eventually(lambda: server.waiting(1))
    first.cancel()
    gate.touch()
    assert (await third)[1]["seen"] == [0, 2]


@pytest.mark.parametrize(("asked", "status"), [({"refuse": 1}, 422), ({"raise": 1}, 503)])
async def test_an_error_is_that_of_the_whole_batch_and_nothing_is_asked_again(
    server: Running, asked: dict[str, Any], status: int
) -> None:
    name = f"error-{status}"
    assert (await say(server, name, 1))[0] == 200
    assert (await say(server, name, 2, **asked))[0] == status
    assert (await say(server, name, 3))[1]["seen"] == [1, 2, 3]


async def test_beyond_the_most_a_sequence_is_refused_until_one_ends(archive: Path) -> None:
    async with running(write_talks(archive, FEW)) as server:
        for name in ("a", "b"):
            assert (await say(server, name, 1))[0] == 200
        for _ in range(3):
            status, told = await say(server, "c", 1)
            assert (status, "maxNumSequence" in told["message"]) == (503, True)
        assert (await say(server, "a", 2, end="a"))[1]["seen"] == [1, 2]
        assert (await say(server, "c", 1))[0] == 200
        assert (await say(server, "b", 2))[1]["seen"] == [1, 2]
        assert (await say(server, "b", 3, end="none; b ;c;"))[0] == 200
        assert (await say(server, "d", 1))[0] == 200


async def test_a_sequence_that_is_idle_or_too_old_gives_up_its_place(archive: Path) -> None:
    config = FEW.replace("600000", "300") + "sequenceTimeoutMSec: 600\n"
    async with running(write_talks(archive, config)) as server:
        for name in ("a", "b"):
            assert (await say(server, name, 1))[0] == 200

        async def is_taken() -> bool:
            return (await say(server, "c", 1))[0] == 200

        await eventually(is_taken)


@pytest.mark.parametrize("count", [3000, pytest.param(100_000, marks=pytest.mark.long)])
async def test_any_number_of_names_costs_what_is_open_and_no_more(
    archive: Path, count: int
) -> None:
    async with running(write_talks(archive, CONFIG.replace("64", "8"))) as server:
        await say(server, "first", 1)
        before = server.resident()

        async def ask(begin: int) -> set[int]:
            return {(await say(server, f"name-{n}", 1))[0] for n in range(begin, count, 50)}

        told = await asyncio.gather(*[ask(begin) for begin in range(50)])
        assert {status for statuses in told for status in statuses} == {200, 503}
        assert (await say(server, "first", 2))[1]["seen"] == [1, 2]
        assert server.resident() - before < 16 << 20


async def test_what_a_dead_worker_knew_is_told_once_to_each_of_its_sequences(
    archive: Path, tmp_path: Path
) -> None:
    begin, gate = tmp_path / "begin", tmp_path / "gate"
    async with running(write_talks(archive, CONFIG)) as server:
        homes: dict[int, list[str]] = {}
        for number in range(6):
            _, told = await say(server, f"s{number}", 1)
            homes.setdefault(told["pid"], []).append(f"s{number}")
        (victim, (busy, idle, third)), (_, others) = homes.items()
        asked = asyncio.create_task(say(server, busy, 2, begin=str(begin), gate=str(gate)))
        await eventually(begin.exists)
        behind = [asyncio.create_task(say(server, name, 3)) for name in (busy, third)]
        await eventually(lambda: server.waiting(2))
        os.kill(victim, signal.SIGKILL)
        for status, told in (await asked, *[await one for one in behind]):
            assert (status, told["message"]) == (500, "Worker died.")
        status, told = await say(server, idle, 2)
        assert (status, "begin it again" in told["message"]) == (500, True)
        for name in (busy, idle, third):
            assert (await say(server, name, 5))[1]["seen"] == [5]
        for name in others:
            assert (await say(server, name, 2))[1]["seen"] == [1, 2]


async def test_a_sequence_that_a_dead_worker_had_not_begun_goes_to_another(
    archive: Path, tmp_path: Path
) -> None:
    begin, gate = tmp_path / "begin", tmp_path / "gate"
    async with running(write_talks(archive, FEW.replace("2\nmax", "4\nmax"))) as server:
        _, told = await say(server, "a", 1)
        asked = asyncio.create_task(say(server, "a", 2, begin=str(begin), gate=str(gate)))
        await eventually(begin.exists)
        await say(server, "b", 1)
        waiting = asyncio.create_task(say(server, "c", 1))
        await eventually(lambda: server.waiting(1))
        os.kill(told["pid"], signal.SIGKILL)
        assert (await asked)[0] == 500
        assert (await waiting)[1]["seen"] == [1]


async def test_open_sequences_hold_up_no_drain_and_what_waits_in_them_is_answered(
    archive: Path, tmp_path: Path
) -> None:
    begin, gate = tmp_path / "begin", tmp_path / "gate"
    async with running(write_talks(archive, CONFIG)) as server:
        await say(server, "idle", 1)
        first = asyncio.create_task(say(server, "busy", 0, begin=str(begin), gate=str(gate)))
        await eventually(begin.exists)
        second = asyncio.create_task(say(server, "busy", 1))
        await eventually(lambda: server.waiting(1))
        stopping = asyncio.create_task(server.stop())
        await eventually(server.refuses)
        gate.touch()
        assert (await first)[0] == 200
        assert (await second)[1]["seen"] == [0, 1]
        assert await stopping == 0
