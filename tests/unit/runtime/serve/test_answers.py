"""What handlers answer, through TorchServe's own Python worker code of the pinned version."""

import asyncio
import importlib.metadata
import json
import struct
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_pods.serve import answers
from slipway_runtime.handler import BadRequest, refusing
from slipway_server import answers as rules


@dataclass
class Answer:
    """One answer as TorchServe's Java reads it from a worker."""

    code: int
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> str:
        found: dict[str, Any] = json.loads(self.body)
        assert found["code"] == self.code
        assert self.headers["content-type"] == "application/json"
        return str(found["message"])


class Reader:
    """Reads the frames of ts.protocol.otf_message_handler."""

    def __init__(self, frame: bytes) -> None:
        self.rest = frame

    def number(self) -> int:
        (found,) = struct.unpack("!i", self.take(4))
        return int(found)

    def take(self, count: int) -> bytes:
        found, self.rest = self.rest[:count], self.rest[count:]
        assert len(found) == count
        return found

    def text(self) -> str:
        return self.take(self.number()).decode()

    def answers(self) -> Iterator[Answer]:
        code = self.number()
        self.text()
        while (length := self.number()) >= 0:
            self.take(length)
            self.text()
            own = self.number()
            self.text()
            headers = {self.text(): self.text() for _ in range(self.number())}
            body = self.take(self.number())
            yield Answer(own if code == 200 else code, headers, body)
        assert not self.rest


class Metrics:
    """Stands for the metrics' cache, of which a prediction needs this much."""

    request_ids: dict[int, str]

    def add_time(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def service_class() -> Iterator[type]:
    """TorchServe's own class; of torch, which its encoder imports, only the tensors' class."""
    stub = None
    if "torch" not in sys.modules:
        stub = types.ModuleType("torch")
        stub.Tensor = type("Tensor", (), {})  # type: ignore[attr-defined]
        sys.modules["torch"] = stub
    import ts.service

    original = ts.service.Service.__init__
    answers.install(ts.service.Service)
    yield ts.service.Service
    ts.service.Service.__init__ = original
    if stub is not None:
        del sys.modules["torch"]


Ask = Callable[..., list[Answer]]


@pytest.fixture
def ask(service_class: type, monkeypatch: pytest.MonkeyPatch) -> Ask:
    def ask_(handler: Any, *bodies: Any, **headers: str) -> list[Answer]:
        service = service_class("m", "/", None, handler, None, len(bodies) or 1, True, Metrics())
        service.set_cl_socket(None)
        batch = [
            {
                "requestId": str(place).encode(),
                "headers": [{"name": n.encode(), "value": v.encode()} for n, v in headers.items()],
                "parameters": [{"name": "body", "value": body, "contentType": "x"}],
            }
            for place, body in enumerate(bodies or ("x",))
        ]
        return list(Reader(bytes(service.predict(batch))).answers())

    return ask_


def test_the_version_is_the_one_that_the_server_has() -> None:
    assert importlib.metadata.version("torchserve") == "0.12.0"


class Number:
    """As NumPy's numbers and arrays are."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def tolist(self) -> Any:
        return self.value


@pytest.mark.parametrize(
    ("value", "body", "kind"),
    [
        (
            {"a": [1, 2.5, None]},
            b'{\n  "a": [\n    1,\n    2.5,\n    null\n  ]\n}',
            "application/json",
        ),
        ("caf\u00e9", "caf\u00e9".encode(), "text/plain; charset=utf-8"),
        (b"\x00\xff", b"\x00\xff", None),
        (bytearray(b"ab"), b"ab", None),
        (7, b"7", "application/json"),
        (Number(2.5), b"2.5", "application/json"),
        ({"a": Number([1, 2])}, b'{\n  "a": [\n    1,\n    2\n  ]\n}', "application/json"),
    ],
)
def test_answers_have_a_content_type(ask: Ask, value: Any, body: bytes, kind: str | None) -> None:
    (found,) = ask(lambda data, context: [value])
    assert (found.code, found.body, found.headers.get("content-type")) == (200, body, kind)


def test_the_handlers_own_content_type_stays(ask: Ask) -> None:
    def handler(data: Any, context: Any) -> list[str]:
        context.set_response_header(0, "Content-Type", "text/html")
        return ["<p>"]

    (found,) = ask(handler)
    assert found.headers == {"Content-Type": "text/html"}


class Broken:
    """A value that is not there any more when it is to be sent."""

    def tolist(self) -> Any:
        raise OSError("it is gone")


def circular() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def deep() -> list[Any]:
    found: list[Any] = []
    for _ in range(100_000):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"a": 1}, "returned a dict"),
        (None, "returned a NoneType"),
        ([], "0 answers to 1 requests"),
        ([1, 2], "2 answers to 1 requests"),
        ([float("nan")], "NaN"),
        ([{"p": float("-inf")}], "NaN or an infinite"),
        ([{"p": Number(float("nan"))}], "NaN"),
        (["\ud800"], "surrogates not allowed"),
        ([{"a": {1, 2}}], "a set in it"),
        ([object()], "a object in it"),
        ([circular()], "itself in itself"),
        ([deep()], "no JSON"),
        ([{(1, 2): 3}], "no JSON"),
        ([Broken()], "no JSON: it is gone"),
        ([10**5000], "no JSON: Exceeds the limit"),
        ([b"x" * (answers.DEFAULT_MAX_BYTES + 1)], "maxResponseBytes is 6553500"),
        (["x" * (answers.DEFAULT_MAX_BYTES + 1)], "maxResponseBytes is 6553500"),
    ],
)
def test_what_cannot_be_sent_is_an_error_that_says_why(ask: Ask, answer: Any, words: str) -> None:
    (found,) = ask(lambda data, context: answer)
    assert found.code == 500
    assert words in found.message


def test_the_longest_answer_is_sent(ask: Ask) -> None:
    (found,) = ask(lambda data, context: [b"x" * answers.DEFAULT_MAX_BYTES])
    assert (found.code, len(found.body)) == (200, answers.DEFAULT_MAX_BYTES)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("x-list", ["a"], "x-list"),
        ("x-none", None, "x-none"),
        ("x-lines", "a\r\nset-cookie: b", "x-lines"),
        ("x-wide", "caf\u00e9", "ASCII"),
        ("x y", "a", "named 'x y'"),
        (5, "a", "named 5"),
        ("content-type", "caf\u00e9", "content-type"),
    ],
)
def test_a_bad_header_is_an_error_that_names_it(
    ask: Ask, name: Any, value: Any, words: str
) -> None:
    def handler(data: Any, context: Any) -> list[int]:
        context.set_response_header(0, name, value)
        return [1]

    (found,) = ask(handler)
    assert found.code == 500
    assert words in found.message


def test_numbers_in_headers_are_sent_and_odd_phrases_are_not(ask: Ask) -> None:
    def handler(data: Any, context: Any) -> list[int]:
        context.set_response_header(0, "x-count", 5)
        context.set_response_status(422, "caf\u00e9", 0)
        return [1]

    (found,) = ask(handler)
    assert (found.code, found.headers["x-count"]) == (422, "5")


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection", "Upgrade"])
def test_headers_of_another_servers_answer_are_left_out_that_are_its_connections(
    ask: Ask, name: str
) -> None:
    def handler(data: Any, context: Any) -> list[int]:
        context.set_response_header(0, name, "chunked")
        context.set_response_header(0, "x-other", "stays")
        return [1]

    (found,) = ask(handler)
    assert (found.code, found.headers.get("x-other"), name in found.headers) == (
        200,
        "stays",
        False,
    )


@pytest.mark.parametrize(
    "headers",
    [
        {f"x-{number}": "a" for number in range(rules.MOST_HEADERS + 1)},
        {"x-long": "a" * rules.MOST_HEADER_BYTES},
    ],
)
def test_headers_that_envoy_would_not_take_are_an_error_that_says_so(
    ask: Ask, headers: dict[str, str]
) -> None:
    def handler(data: Any, context: Any) -> list[int]:
        for name, value in headers.items():
            context.set_response_header(0, name, value)
        return [1]

    (found,) = ask(handler)
    assert (found.code, f"{len(headers)} headers of" in found.message) == (500, True)


@pytest.mark.parametrize("code", ["400", 99, 100, 101, 600, 2.5, True])
def test_a_status_that_is_none_is_an_error(ask: Ask, code: Any) -> None:
    def handler(data: Any, context: Any) -> list[int]:
        context.set_response_status(code, "", 0)
        return [1]

    (found,) = ask(handler)
    assert (found.code, repr(code) in found.message) == (500, True)


def test_one_bad_answer_of_a_batch_leaves_the_others(ask: Ask) -> None:
    found = ask(lambda data, context: [1, float("nan"), 3], "a", "b", "c")
    assert [one.code for one in found] == [200, 500, 200]


@refusing(ValueError, KeyError)
def parsed(row: dict[str, Any]) -> float:
    return float({"one": "1"}.get(row["body"], row["body"]))


def test_what_a_handler_refuses_is_the_clients_error(ask: Ask) -> None:
    def handler(data: Any, context: Any) -> list[float]:
        return [parsed(row) for row in data]

    (found,) = ask(handler, "no number")
    assert found.code == 400
    assert "could not convert string to float: 'no number'" in found.message


def test_a_bad_request_does_not_spoil_the_others_of_its_batch(ask: Ask) -> None:
    def handler(data: Any, context: Any) -> list[float]:
        for place, _ in enumerate(data):
            context.set_response_header(place, "x-batch", str(len(data)))
        return [parsed(row) for row in data]

    found = ask(handler, "one", "no number", "2")
    assert [one.code for one in found] == [200, 400, 200]
    assert [found[0].body, found[2].body] == [b"1.0", b"2.0"]
    assert found[0].headers["x-batch"] == "1"


def test_the_code_of_a_refusal_can_be_chosen(ask: Ask) -> None:
    def handler(data: Any, context: Any) -> Any:
        raise BadRequest("too big", 422)

    (found,) = ask(handler)
    assert (found.code, found.message) == (422, "too big")
    with pytest.raises(ValueError, match="from 400 to 499"):
        BadRequest("no", 500)


def test_torchserves_own_refusal_counts_as_well(ask: Ask) -> None:
    from ts.utils.util import PredictionException

    def handler(data: Any, context: Any) -> Any:
        raise PredictionException("not like this", 404)

    (found,) = ask(handler)
    assert (found.code, found.message) == (404, "not like this")


@pytest.mark.parametrize("error", [RuntimeError("secret"), SystemExit(3), ValueError("secret")])
def test_an_exception_is_a_503_that_tells_nobody_more(ask: Ask, error: BaseException) -> None:
    def handler(data: Any, context: Any) -> Any:
        raise error

    (found,) = ask(handler)
    assert (found.code, found.body) == (503, b"error")


class Unprintable(Exception):  # noqa: N818 - what a library may have
    def __str__(self) -> str:
        raise KeyError("text")


class Own(BaseException):
    """What no `except Exception` catches."""


@pytest.mark.parametrize(
    "error",
    [Unprintable(), Own(), asyncio.CancelledError(), GeneratorExit(), KeyboardInterrupt()],
    ids=repr,
)
def test_an_exception_that_torchserve_cannot_take_ends_no_worker(
    ask: Ask, error: BaseException
) -> None:
    def handler(data: Any, context: Any) -> Any:
        raise error

    for found in ask(handler, "one", "two"):
        assert (found.code, found.body) == (503, b"error")


@pytest.mark.parametrize(
    ("message", "code", "seen"),
    [
        ("no such flower", "404", 500),
        ({"field": "inputs"}, 422, 422),
        (None, 500, 500),
        ("\ud800", 503, 503),
        ("far away", 10**12, 500),
        ("not final", 100, 500),
    ],
)
def test_a_refusal_that_torchserve_cannot_encode_ends_no_worker(
    ask: Ask, message: Any, code: Any, seen: int
) -> None:
    from ts.utils.util import PredictionException

    def handler(data: Any, context: Any) -> Any:
        raise PredictionException(message, code)

    (found,) = ask(handler)
    assert found.code == seen


def test_a_class_of_ones_own_for_refusals_spares_the_others_of_a_batch(ask: Ask) -> None:
    from ts.utils.util import PredictionException

    class NoSuchFlower(PredictionException):  # type: ignore[misc]
        pass

    def handler(data: Any, context: Any) -> Any:
        if any(row["body"] == "weed" for row in data):
            raise NoSuchFlower("there is no such flower", 404)
        return ["rose" for _ in data]

    assert [one.code for one in ask(handler, "rose", "weed")] == [200, 404]


@pytest.mark.parametrize("name", ["x-my-header", "X-My-Header", "X-MY-HEADER"])
def test_a_handler_finds_headers_in_any_case(ask: Ask, name: str) -> None:
    def handler(data: Any, context: Any) -> list[Any]:
        headers = context.get_all_request_header(0)
        return [[context.get_request_header(0, name), headers[name], name in headers]]

    (found,) = ask(handler, "x", **{"x-my-header": "Ab"})
    assert json.loads(found.body) == ["Ab", "Ab", True]


def test_a_header_that_is_not_there_is_none(ask: Ask) -> None:
    (found,) = ask(lambda data, context: [context.get_request_header(0, "x-none")])
    assert found.body == b"null"


JSON_LIKE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.sets(st.integers()),
    max_leaves=20,
)


@given(
    found=JSON_LIKE | st.lists(JSON_LIKE, max_size=3),
    headers=st.dictionaries(
        JSON_LIKE.filter(lambda v: v.__hash__ is not None), JSON_LIKE, max_size=2
    ),
    code=JSON_LIKE,
)
def test_whatever_a_handler_does_the_worker_sends_an_answer(
    service_class: type, found: Any, headers: dict[Any, Any], code: Any
) -> None:
    def handler(data: Any, context: Any) -> Any:
        for name, value in headers.items():
            context.set_response_header(0, name, value)
        context.set_response_status(code, "", 0)
        return found

    service: Any = service_class("m", "/", None, handler, None, 1, True, Metrics())
    service.set_cl_socket(None)
    parameters = [{"name": "body", "value": "x", "contentType": "x"}]
    frame = service.predict([{"requestId": b"1", "headers": [], "parameters": parameters}])
    assert len(list(Reader(bytes(frame)).answers())) == 1
