"""Requests to one model: answers, errors, batches, and parts of answers."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.conformance.plain import MICRO
from tests.unit.server.conftest import (
    Running,
    Served,
    eventually,
    running,
    served,
    write_archive,
    write_echo,
)

UNPRINTABLE = "type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})"
SET_HEADER = "context.set_response_header(index, f'x-{n}', 'a')"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    archive = write_echo(tmp_path_factory.mktemp("echo") / "echo.mar")
    with served(archive, "--queue-size", "3") as process:
        yield process


@pytest.mark.parametrize(
    ("kind", "body", "seen"),
    [
        ("application/json", b'{"a": [1]}', "{'a': [1]}"),
        ("text/plain", "ä".encode(), "'ä'"),
        ("image/png", b"\x89PNG", "bytearray(b'\\x89PNG')"),
        ("application/json", b"{no", "bytearray(b'{no')"),
    ],
)
async def test_a_handler_is_asked_in_its_own_words(
    server: Running, kind: str, body: bytes, seen: str
) -> None:
    url, headers = server.url("/predictions/echo"), {"content-type": kind}
    async with server.session.post(url, data=body, headers=headers) as answer:
        assert (await answer.json(content_type=None))["body"] == seen
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("asked", "status", "text"),
    [
        ({"refuse": 422}, 422, "not like this"),
        ({"raise": 1}, 503, "Prediction failed"),
        ({"answer": "object()"}, 500, "no JSON"),
        ({"answer": "b'x' * 7_000_000"}, 500, "7000000 bytes"),
        ({"answer": "'\\ud800'"}, 500, "surrogate"),
        ({"header": ["bad name", "x"]}, 500, "a header named 'bad name'"),
        ({"header": ["x-a", "b\r\nset-cookie: c"]}, 500, "a line of ASCII text"),
        ({"status": 99}, 500, "the status 99"),
        ({"status": 204}, 204, ""),
        ({"status": 304}, 304, ""),
        ({"header": ["Transfer-Encoding", "chunked"]}, 200, "body"),
        ({"header": ["Upgrade", "h2c"]}, 200, "body"),
        ({"header": ["x-long", "a" * 40_000]}, 500, "1 headers of 40006 bytes"),
        (
            {"run": f"for n in range(81): {SET_HEADER}"},
            500,
            "81",
        ),
        ({"answer": "10**5000"}, 500, "no JSON: Exceeds"),
        ({"answer": "type('Gone', (), {'tolist': lambda self: 1 / 0})()"}, 500, "division"),
        ({"run": "raise PredictionException({'field': 'inputs'}, 422)"}, 422, "inputs"),
        ({"run": "raise PredictionException('so', '422')"}, 500, "so"),
        ({"run": "import asyncio; raise asyncio.CancelledError"}, 503, "Prediction failed"),
        ({"run": "raise KeyboardInterrupt"}, 503, "Prediction failed"),
        ({"run": f"raise {UNPRINTABLE}()"}, 503, "Prediction failed"),
        ({"status": 418}, 418, "body"),
        ({"answer": "b'\\x00\\xff'"}, 200, "\x00"),
        ({"answer": "'text'"}, 200, "text"),
        ({"answer": "[1, 2]"}, 200, "[\n  1,\n  2\n]"),
    ],
)
async def test_an_answer_is_sent_or_refused_with_a_word(
    server: Running, asked: dict[str, Any], status: int, text: str
) -> None:
    async with server.session.post(server.url("/predictions/echo"), json=asked) as answer:
        body = (await answer.read()).decode(errors="replace")
        assert (answer.status, text in body) == (status, True), body
    assert (await server.post({}))[0] == 200


@pytest.mark.parametrize("parts", [[], ["part"]])
async def test_an_answer_has_the_content_type_that_its_handler_has_set_or_none(
    server: Running, parts: list[str]
) -> None:
    for kind in ("application/octet-stream", None):
        asked = {"answer": "b'x'", "parts": parts}
        run = f"context.set_response_content_type(0, {kind!r})" if kind else "pass"
        async with server.session.post(
            server.url("/predictions/echo"), json={**asked, "run": run}
        ) as answer:
            assert (answer.status, answer.headers.get("content-type")) == (200, kind)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/predictions/echo/1.0", 200),
        ("/predictions/echo/2.0", 404),
        ("/predictions/other", 404),
        ("/nowhere", 404),
    ],
)
async def test_a_path_is_a_model_and_its_version(server: Running, path: str, status: int) -> None:
    assert (await server.post({}, path))[0] == status


async def test_beyond_the_queue_requests_are_refused_at_once(
    server: Running, tmp_path: Path
) -> None:
    begin, gate = tmp_path / "begin", tmp_path / "gate"
    slow = asyncio.create_task(server.post({"begin": str(begin), "gate": str(gate)}))
    await eventually(begin.exists)
    before = await server.batches()
    behind = asyncio.create_task(server.post({}))
    await eventually(lambda: server.given(before + 1))
    answers = [asyncio.create_task(server.post({})) for _ in range(10)]
    await eventually(lambda: sum(answer.done() for answer in answers) == 7)
    gate.touch()
    assert [(await one)[0] for one in (slow, behind)] == [200, 200]
    assert sorted([(await answer)[0] for answer in answers]) == [200] * 3 + [503] * 7


async def test_a_request_whose_client_has_gone_is_not_computed(
    server: Running, tmp_path: Path
) -> None:
    begin, gate = tmp_path / "begin", tmp_path / "gate"
    slow = asyncio.create_task(server.post({"begin": str(begin), "gate": str(gate)}))
    await eventually(begin.exists)
    marks = [tmp_path / "given-to-the-worker", tmp_path / "in-the-queue"]
    before = await server.batches()
    gone = [asyncio.create_task(server.post({"begin": str(marks[0])}))]
    await eventually(lambda: server.given(before + 1))
    gone.append(asyncio.create_task(server.post({"begin": str(marks[1])})))
    await eventually(lambda: server.waiting(1))
    for one in gone:
        one.cancel()
    await eventually(lambda: server.waiting(0))
    gate.touch()
    assert (await slow)[0] == 200
    assert (await server.post({}))[0] == 200
    assert [mark for mark in marks if mark.exists()] == []


async def test_parts_reach_the_client_as_they_are_sent(server: Running, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"while not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.005)"
    asked = {
        "run": "send_intermediate_predict_response(['first'], None, '', 200, context)\n" + wait,
        "answer": "'last'",
    }
    async with server.session.post(server.url("/predictions/echo"), json=asked) as answer:
        assert await answer.content.readany() == b"first"
        gate.touch()
        assert await answer.read() == b"last"


async def test_a_client_that_does_not_read_its_parts_costs_no_memory(server: Running) -> None:
    asked = {
        "run": "for _ in range(40):\n"
        "  send_intermediate_predict_response([b'x' * 1_000_000], None, '', 200, context)"
    }
    reader, writer = await asyncio.open_connection("127.0.0.1", server.served.ports[0], limit=1024)
    body = json.dumps(asked).encode()
    head = "POST /predictions/echo HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    before = await server.batches()
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    await eventually(lambda: server.given(before + 1))
    assert (await server.post({}))[0] == 200
    with pytest.raises(asyncio.IncompleteReadError):
        await reader.readexactly(40_000_000)
    writer.close()


async def test_a_model_is_served_under_another_name_than_its_archives(archive: Path) -> None:
    async with running(write_echo(archive), "--name", "other") as server:
        assert (await server.post({}, "/predictions/other"))[0] == 200
        assert (await server.post({}))[0] == 404


async def test_a_batch_is_what_came_within_the_delay(archive: Path) -> None:
    config = "batchSize: 4\nmaxBatchDelay: 600000\n"
    async with running(write_echo(archive, config)) as server:
        answers = await asyncio.gather(*[server.post({"a": number}) for number in range(4)])
        assert {json.loads(text)["size"] for _, text in answers} == {4}


async def test_of_a_batch_only_the_request_that_a_handler_blames_is_refused(archive: Path) -> None:
    config = "batchSize: 3\nmaxBatchDelay: 600000\n"
    async with running(write_echo(archive, config)) as server:
        asked = [{"a": 1}, {"refuse": 422}, {"a": 2}]
        answers = await asyncio.gather(*[server.post(one) for one in asked])
        assert [status for status, _ in answers] == [200, 422, 200]


async def test_the_parts_of_a_batch_are_answered_in_its_order(archive: Path) -> None:
    files = {"handler.py": MICRO, "mc.yaml": "batchSize: 5\nmaxBatchDelay: 600000\n"}
    async with running(write_archive(archive, files, configFile="mc.yaml")) as server:
        answers = await asyncio.gather(*[server.post(number) for number in range(5)])
        assert [json.loads(text) for _, text in answers] == [1, 2, 3, 4, 5]
