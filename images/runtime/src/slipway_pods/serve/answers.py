"""What a handler answers, made fit to be sent; runs in each worker of TorchServe 0.12.

TorchServe's own encoder ends the worker, and with it all requests under way, for an answer that is
too long, a text with half a surrogate pair, a number as a header's value or a list that holds
itself (ts.protocol.otf_message_handler.create_predict_response). The server image adds a call of
`install` to ts/service.py: from then on each answer is encoded here, and one that cannot be sent
becomes an error in JSON that says what was wrong. The log has the same with the traceback.

``SLIPWAY_MAX_RESPONSE_BYTES`` is the longest answer, in bytes (6,553,500).
"""

import copy
import inspect
import io
import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from slipway_pods.serve.worker import last_words, records, refusals

LOG = logging.getLogger(__name__)
DEFAULT_MAX_BYTES = 6_553_500
SERVER_ERROR = 500

_JSON_CANNOT = {
    "Out of range float": "NaN or an infinite number",
    "Circular reference": "itself in itself",
}
"""What Python says of a value that is no JSON, and what that means."""

Handler = Callable[[Any, Any], Any]

MOST_HEADERS, MOST_HEADER_BYTES = 80, 32 * 1024
"""How many headers an answer may have, and how long they are together: Envoy takes 100, its own
ones among them, and clients take less than it."""
_OF_THE_CONNECTION = frozenset(
    (
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""Headers that only a server can set (RFC 9110, 7.6.1): a handler that hands on another's answer
has them."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, 5.1: a token."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class InvalidAnswerError(Exception):
    """A handler's answer cannot be sent; the text is one sentence."""


class Headers(dict[str, Any]):
    """A request's headers, which are found whatever the case of their names is."""

    def __init__(self, headers: Mapping[str, Any]) -> None:
        super().__init__(headers)
        self._names = {name.lower(): name for name in headers}

    def __missing__(self, name: str) -> Any:
        known = self._names.get(name.lower()) if isinstance(name, str) else None
        if known is None:
            raise KeyError(name)
        return super().__getitem__(known)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._names

    def get(self, name: str, default: Any = None) -> Any:
        """Return a header's value, or the default."""
        try:
            return self[name]
        except KeyError:
            return default


def install(service: type) -> None:
    """Have ts.service.Service call each handler by `answer`, and the worker note how it ends.

    The server image's workers log through `records` from the loading of the model on.
    """
    if "SLIPWAY_MODEL" in os.environ:
        last_words.install(Path(os.environ.get("LOG_LOCATION", "/tmp")))  # noqa: S108 - the image's
    original = service.__init__  # type: ignore[misc]
    longest = int(os.environ.get("SLIPWAY_MAX_RESPONSE_BYTES", DEFAULT_MAX_BYTES))

    def begin(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if os.environ.get("SLIPWAY_LOG_RECORDS"):
            records.install()
        handler = self._entry_point
        if not inspect.iscoroutinefunction(handler):
            self._entry_point = lambda data, context: answer(handler, data, context, longest)

    service.__init__ = begin  # type: ignore[misc]


def answer(handler: Handler, data: Any, context: Any, longest: int) -> Any:
    """Return what a handler answers to a batch, each answer as bytes; its errors are its own.

    A stream of answers is left as it is. Where a batch of several requests is refused, each is
    asked for again alone: the others are not to suffer for the bad one.
    """
    for request in context.request_processor:
        request._request_header = Headers(request._request_header)
    try:
        found = handler(data, context)
    except MemoryError:
        raise
    except SystemExit as error:
        raise RuntimeError(f"The handler called sys.exit({error.code}).") from error
    except BaseException as error:
        code = refusals.refusal_code(error)
        if code is None:
            raise refusals.tellable(error) from error
        if len(data) > 1:
            return [_alone(handler, data, context, longest, place) for place in range(len(data))]
        text = refusals.text_of(getattr(error, "message", error))
        LOG.info("The handler refused a request with %d: %s", code, text)
        return [failure(context, 0, code, "BadRequest", text)]
    if context.stopping_criteria is not None:
        return found
    return encode_all(found, len(data), context, longest)


def _alone(handler: Handler, data: Any, context: Any, longest: int, place: int) -> bytes:
    """Return the answer to one request of a batch; an error is that request's alone."""
    lone = copy.copy(context)
    lone.request_ids = {0: context.request_ids[place]}
    lone.request_processor = [context.request_processor[place]]
    _reset(context.request_processor[place])
    try:
        found = answer(handler, [data[place]], lone, longest)
    except Exception:
        LOG.warning("The prediction failed", exc_info=True)
        return failure(context, place, 503, "InternalServerException", "Prediction failed")
    return bytes(found[0])


def _reset(request: Any) -> None:
    request.report_status(200)
    request.get_response_headers().clear()


def encode_all(found: Any, count: int, context: Any, longest: int) -> list[bytes]:
    """Return a batch's answers as bytes, with their content types; errors instead of invalid ones.

    Raises nothing.
    """
    try:
        check_shape(found, count)
    except InvalidAnswerError as error:
        LOG.warning("%s", error)
        return [_invalid(context, place, error) for place in range(count)]
    return [_encode_one(one, place, context, longest) for place, one in enumerate(found)]


def _encode_one(value: Any, place: int, context: Any, longest: int) -> bytes:
    try:
        body, kind = encode(value)
        if len(body) > longest:
            raise InvalidAnswerError(
                f"The handler's answer is {len(body)} bytes long, and spec.server.maxResponseBytes "
                f"is {longest}."
            )
        check_head(context, place)
    except InvalidAnswerError as error:
        LOG.warning("%s", error, exc_info=error.__cause__ or False)
        return _invalid(context, place, error)
    if kind and not _content_type(context, place):
        context.set_response_content_type(place, kind)
    return body


def _invalid(context: Any, place: int, error: Exception) -> bytes:
    return failure(context, place, SERVER_ERROR, "InvalidAnswer", str(error))


def _content_type(context: Any, place: int) -> bool:
    return any(name.lower() == "content-type" for name in context.get_response_headers(place))


def check_shape(found: Any, count: int) -> None:
    """Raise InvalidAnswerError for what is no list with one answer for each request."""
    if not isinstance(found, list):
        what = type(found).__name__
        raise InvalidAnswerError(
            f"The handler returned a {what}: return a list with one answer for each request."
        )
    if len(found) != count:
        raise InvalidAnswerError(
            f"The handler returned {len(found)} answers to {count} requests: return a list with "
            "one answer for each request."
        )


def encode(value: Any) -> tuple[bytes, str]:
    """Return an answer as bytes, and its content type; raises InvalidAnswerError.

    Bytes are the handler's own; a tensor is saved as TorchServe does it; all else is JSON, where
    NumPy's numbers and arrays, and tensors, are what they hold.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value), ""
    if isinstance(value, str):
        return _utf8(value), "text/plain; charset=utf-8"
    if type(value).__module__ == "torch" and hasattr(value, "numpy"):
        import torch

        stream = io.BytesIO()
        torch.save(value, stream)
        return stream.getvalue(), "application/octet-stream"
    return _utf8(_json(value)), "application/json"


def _utf8(text: str) -> bytes:
    try:
        return str.encode(text)
    except UnicodeEncodeError as error:
        raise InvalidAnswerError(
            f"The handler's answer is no text that can be sent: {error.reason} at {error.start}."
        ) from error


def _json(value: Any) -> str:
    try:
        return json.dumps(value, indent=2, allow_nan=False, default=_plain)
    except Exception as error:  # a value's own class may raise anything
        why = refusals.text_of(error)
        for words, what in _JSON_CANNOT.items():
            if words in why:
                text = f"The handler's answer holds {what}, which JSON cannot say."
                raise InvalidAnswerError(text) from error
        raise InvalidAnswerError(f"The handler's answer is no JSON: {why}.") from error


def _plain(value: Any) -> Any:
    """Return what an array or a number of another library holds; raises TypeError for others."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} in it is neither number, text, list nor dict")


def check_head(context: Any, place: int) -> None:
    """Raise InvalidAnswerError for a status or a header that TorchServe cannot send.

    Numbers become texts. The reason phrase goes: TorchServe counts its characters, not its bytes.
    """
    code, _ = context.get_response_status(place)
    is_code = isinstance(code, int) and not isinstance(code, bool) and 200 <= code <= 599
    if code is not None and not is_code:
        raise InvalidAnswerError(f"The handler set the status {code!r}: set a number, such as 400.")
    context.request_processor[place].report_status(code)
    headers = context.get_response_headers(place)
    for name in [one for one in headers if str(one).lower() in _OF_THE_CONNECTION]:
        del headers[name]
    for name, value in list(headers.items()):
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise InvalidAnswerError(f"The handler set a header named {name!r}.")
        if isinstance(value, int | float):
            headers[name] = value = str(value)
        if not isinstance(value, str) or not value.isascii() or _CONTROL.search(value):
            raise InvalidAnswerError(
                f"The handler set the header {name} to {value!r:.80}: set a line of ASCII text."
            )
    size = sum(len(name) + len(value) for name, value in headers.items())
    if len(headers) > MOST_HEADERS or size > MOST_HEADER_BYTES:
        raise InvalidAnswerError(
            f"The handler set {len(headers)} headers of {size} bytes in all: set {MOST_HEADERS} of "
            f"{MOST_HEADER_BYTES} bytes at most, and put the rest into the answer."
        )


def failure(context: Any, place: int, code: int, kind: str, message: str) -> bytes:
    """Make a request's answer an error, and return its body: JSON as TorchServe's own errors."""
    _reset(context.request_processor[place])
    context.set_response_status(code, "", place)
    context.set_response_content_type(place, "application/json")
    body = {"code": code, "type": kind, "message": refusals.text_of(message)}
    return json.dumps(body, indent=2).encode() + b"\n"
