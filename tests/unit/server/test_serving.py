"""One archive served: answers, errors, batches, workers that end, and the end of the server."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.conftest import are_gone, eventually, running, write_archive

ECHO = """
import json, os, signal, sys, time
from ts.utils.util import PredictionException


def handle(data, context):
    if data is None:
        return None
    return [one(row["body"], index, len(data), context) for index, row in enumerate(data)]


def one(body, index, size, context):
    asked = body if isinstance(body, dict) else {}
    if "exit" in asked:
        os._exit(asked["exit"])
    if "kill" in asked:
        os.kill(os.getpid(), signal.SIGKILL)
    if "sleep" in asked:
        time.sleep(asked["sleep"])
    if "refuse" in asked:
        raise PredictionException("not like this", asked["refuse"])
    if "raise" in asked:
        raise RuntimeError("a bug")
    if "status" in asked:
        context.set_response_status(code=asked["status"], idx=index)
    if "type" in asked:
        context.set_response_content_type(index, asked["type"])
    if "header" in asked:
        context.set_response_header(index, *asked["header"])
    if "answer" in asked:
        return eval(asked["answer"])
    return {"body": repr(body), "size": size, "pid": os.getpid()}
"""


def echo(archive: Path, config: str = "") -> Path:
    files = {"handler.py": ECHO, **({"mc.yaml": config} if config else {})}
    return write_archive(archive, files, **({"configFile": "mc.yaml"} if config else {}))


async def test_a_handler_is_asked_in_its_own_words(archive: Path) -> None:
    async with running(echo(archive)) as server:
        url = server.url("/predictions/echo")
        for kind, body, seen in (
            ("application/json", b'{"a": [1]}', "{'a': [1]}"),
            ("text/plain", "ä".encode(), "'ä'"),
            ("image/png", b"\x89PNG", "bytearray(b'\\x89PNG')"),
            ("application/json", b"{no", "bytearray(b'{no')"),
        ):
            headers = {"content-type": kind}
            async with server.session.post(url, data=body, headers=headers) as answer:
                assert (await answer.json(content_type=None))["body"] == seen
                assert "content-type" not in answer.headers


@pytest.mark.parametrize(
    ("asked", "status", "text"),
    [
        ({"refuse": 422}, 422, "not like this"),
        ({"raise": 1}, 503, "Prediction failed"),
        ({"answer": "object()"}, 503, "no JSON"),
        ({"answer": "b'x' * 7_000_000"}, 503, "7000000 bytes"),
        ({"answer": "'\\ud800'"}, 503, "surrogate"),
        ({"header": ["bad name", "x"]}, 503, "cannot be sent"),
        ({"header": ["x-a", "b\r\nset-cookie: c"]}, 503, "cannot be sent"),
        ({"status": 418}, 418, "body"),
        ({"answer": "b'\\x00\\xff'"}, 200, "\x00"),
        ({"answer": "'text'"}, 200, "text"),
        ({"answer": "[1, 2]"}, 200, "[\n  1,\n  2\n]"),
    ],
)
async def test_an_answer_is_sent_or_refused_with_a_word(
    archive: Path, asked: dict[str, Any], status: int, text: str
) -> None:
    async with running(echo(archive)) as server:
        url = server.url("/predictions/echo")
        async with server.session.post(url, json=asked) as answer:
            body = (await answer.read()).decode(errors="replace")
            assert (answer.status, text in body) == (status, True), body
        assert (await server.post({}))[0] == 200


@pytest.mark.parametrize("death", [{"exit": 3}, {"exit": 0}, {"kill": 1}])
async def test_a_worker_that_ends_costs_its_batch_and_is_made_again(
    archive: Path, death: dict[str, int]
) -> None:
    async with running(echo(archive)) as server:
        status, text = await server.post(death)
        assert (status, json.loads(text)["message"]) == (500, "Worker died.")
        assert (await server.post({"a": 1}))[0] == 200
        async with server.session.get(server.url("/metrics", 2)) as page:
            assert "slipway_server_worker_deaths_total{" in await page.text()


async def test_requests_that_wait_are_answered_by_the_next_worker(archive: Path) -> None:
    async with running(echo(archive)) as server:
        slow = asyncio.create_task(server.post({"sleep": 0.5}))
        dying = asyncio.create_task(server.post({"exit": 1}))
        others = [asyncio.create_task(server.post({"a": 1})) for _ in range(5)]
        assert (await slow)[0] == 200
        assert (await dying)[0] == 500
        assert {status for status, _ in await asyncio.gather(*others)} == {200}


async def test_a_batch_is_what_came_within_the_delay(archive: Path) -> None:
    config = "batchSize: 4\nmaxBatchDelay: 5000\n"
    async with running(echo(archive, config)) as server:
        answers = await asyncio.gather(*[server.post({"a": number}) for number in range(4)])
        assert {json.loads(text)["size"] for _, text in answers} == {4}


async def test_beyond_the_queue_requests_are_refused_at_once(archive: Path) -> None:
    async with running(echo(archive), "--queue-size", "3") as server:
        slow = asyncio.create_task(server.post({"sleep": 2}))
        await eventually(server.has_begun)
        answers = await asyncio.gather(*[server.post({}) for _ in range(10)])
        assert sorted(status for status, _ in answers) == [200] * 3 + [503] * 7
        assert (await slow)[0] == 200


async def test_a_request_whose_client_has_gone_is_not_computed(
    archive: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "computed"
    async with running(echo(archive)) as server:

        async def waits() -> bool:
            return await server.waiting() == 1

        slow = asyncio.create_task(server.post({"sleep": 1}))
        await eventually(server.has_begun)
        gone = asyncio.create_task(server.post({"answer": f"open({str(mark)!r}, 'w').close()"}))
        await eventually(waits)
        gone.cancel()
        assert (await slow)[0] == 200
        assert (await server.post({}))[0] == 200
        assert not mark.exists()


async def test_a_worker_that_hangs_is_ended_when_its_time_is_over(archive: Path) -> None:
    async with running(echo(archive), "--response-timeout", "1") as server:
        assert (await server.post({"sleep": 600}))[0] == 500
        assert (await server.post({}))[0] == 200


async def test_what_is_under_way_is_answered_after_sigterm_and_nothing_is_left(
    archive: Path,
) -> None:
    async with running(echo(archive)) as server:
        slow = asyncio.create_task(server.post({"sleep": 1}))
        await eventually(server.has_begun)
        left = server.workers()
        assert len(left) >= 2
        code = asyncio.create_task(server.stop())
        assert (await slow)[0] == 200
        assert await code == 0
        assert are_gone(left)


async def test_no_process_stays_behind_a_server_that_is_killed(archive: Path) -> None:
    async with running(echo(archive)) as server:
        left = server.workers()
        server.process.kill()
        await server.process.wait()

        async def all_gone() -> bool:
            return are_gone(left)

        await eventually(all_gone)


async def test_a_model_that_cannot_be_loaded_ends_the_server_with_the_traceback(
    archive: Path,
) -> None:
    write_archive(archive, {"handler.py": "raise ImportError('no such thing')"})
    async with running(archive, ready=False) as server:
        assert await asyncio.wait_for(server.process.wait(), 60) == 1
        assert "ImportError: no such thing" in server.log.read_text()


async def test_a_worker_killed_by_a_signal_is_told_with_its_name(archive: Path) -> None:
    async with running(echo(archive)) as server:
        _, text = await server.post({})
        os.kill(json.loads(text)["pid"], signal.SIGSEGV)

        async def is_told() -> bool:
            return "Segmentation fault" in server.log.read_text()

        await eventually(is_told)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/predictions/echo/1.0", 200),
        ("/predictions/echo/2.0", 404),
        ("/predictions/other", 404),
        ("/nowhere", 404),
    ],
)
async def test_a_path_is_a_model_and_its_version(archive: Path, path: str, status: int) -> None:
    async with running(echo(archive)) as server:
        assert (await server.post({}, path))[0] == status


async def test_parts_reach_the_client_as_they_are_sent(archive: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    code = f"""
import pathlib, time
from ts.handler_utils.utils import send_intermediate_predict_response


def handle(data, context):
    if data is None:
        return None
    send_intermediate_predict_response(["first"], context.request_ids, "", 200, context)
    while not pathlib.Path({str(gate)!r}).exists():
        time.sleep(0.01)
    return ["last"]
"""
    write_archive(archive, {"handler.py": code})
    async with (
        running(archive) as server,
        server.session.post(server.url("/predictions/echo"), data=b"x") as answer,
    ):
        assert await answer.content.readany() == b"first"
        gate.touch()
        assert await answer.read() == b"last"
