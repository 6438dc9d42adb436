"""The end of the server, and more requests than it takes."""

import asyncio
import signal
import time
from pathlib import Path

import aiohttp
import pytest

from tests.harness.quickness import quick
from tests.unit.server.conftest import Running, are_gone, eventually, running, write_echo


async def test_what_is_under_way_is_answered_after_sigterm_and_nothing_is_left(
    archive: Path, tmp_path: Path
) -> None:
    begin, gate = tmp_path / "begin", tmp_path / "gate"
    async with running(write_echo(archive)) as server:
        slow = asyncio.create_task(server.post({"begin": str(begin), "gate": str(gate)}))
        await eventually(begin.exists)
        left = server.workers()
        assert len(left) >= 2
        code = asyncio.create_task(server.stop())
        await eventually(server.refuses)
        await eventually(lambda: "1 request is in progress, for 30 s at most." in server.log)
        gate.touch()
        assert (await slow)[0] == 200
        assert await code == 0
        await eventually(lambda: are_gone(left))


async def test_a_server_that_is_stopped_tells_of_no_workers_death(archive: Path) -> None:
    async with running(write_echo(archive), "--workers", "2") as server:
        assert (await server.post({}))[0] == 200
        assert await server.stop() == 0
        ready, stopping = server.log.splitlines()
        assert " INFO Ready: " in ready
        assert " INFO Stopping: " in stopping


async def test_whoever_interrupts_it_sees_by_its_exit_code_that_it_was(archive: Path) -> None:
    async with running(write_echo(archive)) as server:
        server.served.process.send_signal(signal.SIGINT)
        assert await server.end() == 128 + signal.SIGINT


@pytest.mark.parametrize("turns", [2, pytest.param(50, marks=pytest.mark.long)])
async def test_no_request_of_a_connection_that_was_taken_is_lost_by_sigterm(
    archive: Path, turns: int
) -> None:
    write_echo(archive)
    for _ in range(turns):
        async with running(archive, "--workers", "2", "--queue-size", "64") as server:
            await stop_under_load(server)


async def stop_under_load(server: Running) -> None:
    answered: list[int] = []
    clients = [asyncio.create_task(ask_until_refused(server, answered)) for _ in range(16)]
    await eventually(lambda: len(answered) > 200)
    assert await server.stop() == 0
    await asyncio.gather(*clients)
    assert set(answered) == {200}


async def ask_until_refused(server: Running, answered: list[int]) -> None:
    """Ask again and again by one connection at a time; an error on one that was taken is raised."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        while True:
            try:
                async with session.post(server.url("/predictions/echo"), json={}) as answer:
                    await answer.read()
                    answered.append(answer.status)
            except aiohttp.ClientConnectorError:
                return


async def test_no_process_stays_behind_a_server_that_is_killed(archive: Path) -> None:
    async with running(write_echo(archive)) as server:
        hung = asyncio.create_task(server.post({"sleep": 600}))
        await eventually(server.has_begun)
        left = server.workers()
        server.served.process.kill()
        await eventually(lambda: are_gone(left))
        with pytest.raises(aiohttp.ClientError):
            await hung


async def test_of_a_thousand_at_once_the_queue_takes_its_hundred(
    archive: Path, tmp_path: Path
) -> None:
    begin, gate = tmp_path / "begin", tmp_path / "gate"
    async with running(write_echo(archive), "--queue-size", "100") as server:
        slow = asyncio.create_task(server.post({"begin": str(begin), "gate": str(gate)}))
        await eventually(begin.exists)
        second = asyncio.create_task(server.post({}))
        await eventually(lambda: server.given(2))
        before = server.resident()
        requests = [asyncio.create_task(asked(server)) for _ in range(1000)]
        await eventually(lambda: sum(one.done() for one in requests) == 900)
        gate.touch()
        answers = [await one for one in requests]
        assert sorted({status for status, _ in answers}) == [200, 503]
        assert [status for status, _ in answers].count(503) == 900
        assert {retry for status, retry in answers if status == 503} == {"1"}
        assert [(await one)[0] for one in (slow, second)] == [200, 200]
        assert server.resident() - before < 64 << 20


async def asked(server: Running) -> tuple[int, str | None]:
    async with server.session.post(server.url("/predictions/echo"), json={}) as answer:
        await answer.read()
        return answer.status, answer.headers.get("retry-after")


async def test_a_refusal_takes_no_longer_than_a_twentieth_of_a_second(
    archive: Path, tmp_path: Path
) -> None:
    begin, gate = tmp_path / "begin", tmp_path / "gate"
    async with running(write_echo(archive), "--queue-size", "1") as server:
        waiting = [asyncio.create_task(server.post({"begin": str(begin), "gate": str(gate)}))]
        await eventually(begin.exists)
        waiting.append(asyncio.create_task(server.post({})))
        await eventually(lambda: server.given(2))
        waiting.append(asyncio.create_task(server.post({})))
        await eventually(lambda: server.waiting(1))

        async def refusal() -> float:
            begun = time.monotonic()
            assert (await server.post({}))[0] == 503
            return time.monotonic() - begun

        await quick(refusal, 0.05)
        gate.touch()
        assert {(await one)[0] for one in waiting} == {200}
