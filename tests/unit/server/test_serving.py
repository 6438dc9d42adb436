"""Requests to one model: answers, errors, batches, and parts of answers."""

import asyncio
import json
import os
import re
import signal
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


OWN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""An ID that the server has made."""


@pytest.mark.parametrize("path", ["/predictions/echo", "/predictions/other", "/nowhere", "/ping"])
async def test_each_answer_has_the_id_of_its_request_or_a_new_one(
    server: Running, path: str
) -> None:
    async def id_of(**headers: str) -> str:
        method = "GET" if path == "/ping" else "POST"
        async with server.session.request(method, server.url(path), headers=headers) as answer:
            return answer.headers["x-request-id"]

    given = "1f0c5b1e-9a1c-4f5e-8f7a-0d2a4c6e8b10"
    assert await id_of(**{"X-Request-Id": given}) == given
    assert OWN.fullmatch(first := await id_of())
    assert await id_of() != first


async def test_a_handler_knows_the_id_that_its_answer_has(server: Running) -> None:
    asked = {"answer": "context.get_request_id(index)"}
    async with server.session.post(server.url("/predictions/echo"), json=asked) as answer:
        assert await answer.text() == answer.headers["x-request-id"]


@pytest.mark.parametrize("given", ["", "two words", "a" * 129, "\xe9", 'a"b', "a,b", "<a>", "a\tb"])
async def test_an_id_that_a_log_could_read_otherwise_is_not_taken_over(
    server: Running, given: str
) -> None:
    url, headers = server.url("/predictions/echo"), {"X-Request-Id": given}
    async with server.session.post(url, json={"raise": True}, headers=headers) as answer:
        assert answer.status == 503
        own = answer.headers["x-request-id"]
    assert OWN.fullmatch(own)
    await eventually(lambda: f"The handler failed at request {own}\n" in server.log)


async def test_the_log_names_the_request_that_a_handler_refuses_and_its_answers_parts_have_its_id(
    server: Running,
) -> None:
    url = server.url("/predictions/echo")
    asked = {"parts": ["one"], "header": ["x-request-id", "the handlers own"]}
    async with server.session.post(url, json=asked, headers={"x-request-id": "a:1"}) as answer:
        assert (answer.status, answer.headers["x-request-id"]) == (200, "a:1")
    headers = {"x-request-id": "b=2"}
    async with server.session.post(url, json={"refuse": 404}, headers=headers) as answer:
        assert answer.headers["x-request-id"] == "b=2"
    await eventually(lambda: "The handler refused request b=2: " in server.log)


async def test_of_many_requests_of_a_batch_a_line_of_the_log_names_four(archive: Path) -> None:
    options = ("--batch-size", "6", "--max-batch-delay", "30000")
    async with running(write_echo(archive), *options) as server:
        url = server.url("/predictions/echo")
        asking = [
            server.session.post(url, json={"raise": True}, headers={"x-request-id": f"id-{number}"})
            for number in range(6)
        ]
        for answer in await asyncio.gather(*asking):
            answer.close()
        line = re.compile(r"The handler failed at requests (id-\d(, id-\d){3}) and 2 more\n")
        await eventually(lambda: line.search(server.log) is not None)


async def test_requests_with_the_same_id_are_answered_each_for_itself(archive: Path) -> None:
    options = ("--batch-size", "4", "--max-batch-delay", "30000")
    async with running(write_echo(archive), *options) as server:
        url, headers = server.url("/predictions/echo"), {"x-request-id": "same"}

        async def ask(number: int) -> str:
            asked = {"answer": repr(str(number))}
            async with server.session.post(url, json=asked, headers=headers) as answer:
                assert answer.headers["x-request-id"] == "same"
                return await answer.text()

        assert await asyncio.gather(*map(ask, range(4))) == ["0", "1", "2", "3"]


async def test_a_server_that_is_ready_says_once_what_it_serves_and_where(archive: Path) -> None:
    async with running(write_echo(archive), "--workers", "2") as server:
        predictions, management, metrics = server.served.ports
        line = (
            "INFO Ready: model echo, version 1.0, 2 workers on the CPU; predictions at "
            f"127.0.0.1:{predictions}, management at 127.0.0.1:{management}, metrics at "
            f"127.0.0.1:{metrics}.\n"
        )
        await eventually(lambda: line in server.log)
        os.kill(server.workers()[-1], signal.SIGKILL)
        await eventually(server.has_died)
        await server.wait_until_ready()
        assert server.log.count("INFO Ready: ") == 1


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
