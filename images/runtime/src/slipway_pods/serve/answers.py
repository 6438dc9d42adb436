"""What a handler answers, made fit to be sent; runs in each worker of TorchServe 0.12.

TorchServe's own encoder ends the worker, and with it all requests under way, for an answer that is
too long, a text with half a surrogate pair, a number as a header's value or a list that holds
itself (ts.protocol.otf_message_handler.create_predict_response). The server image adds a call of
`install` to ts/service.py: from then on each answer is encoded by the rules of the Python server,
`slipway_server.answers`, which the image has too, and one that cannot be sent becomes an error in
JSON that says what was wrong. The log has the same with the traceback.

``SLIPWAY_MAX_RESPONSE_BYTES`` is the longest answer, in bytes (6,553,500).
"""

import copy
import inspect
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from slipway_pods.serve.worker import last_words, records, refusals
from slipway_server import answers as rules

LOG = logging.getLogger(__name__)
DEFAULT_MAX_BYTES = 6_553_500
SERVER_ERROR = 500

Handler = Callable[[Any, Any], Any]


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
        text = rules.text_of(getattr(error, "message", error))
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
        rules.check_shape(found, count)
    except rules.InvalidAnswer as error:
        LOG.warning("%s", error)
        return [_invalid(context, place, error) for place in range(count)]
    return [_encode_one(one, place, context, longest) for place, one in enumerate(found)]


def _encode_one(value: Any, place: int, context: Any, longest: int) -> bytes:
    try:
        body, kind = rules.encoded(value, longest)
        _check_head(context, place, kind)
    except rules.InvalidAnswer as error:
        LOG.warning("%s", error, exc_info=error.__cause__ or False)
        return _invalid(context, place, error)
    return body


def _invalid(context: Any, place: int, problem: rules.InvalidAnswer) -> bytes:
    return failure(context, place, SERVER_ERROR, "InvalidAnswer", str(problem))


def _check_head(context: Any, place: int, kind: str) -> None:
    """Raise InvalidAnswer for a status or a header that cannot be sent; add the content type.

    The reason phrase goes: TorchServe counts its characters, not its bytes.
    """
    code, _ = context.get_response_status(place)
    context.request_processor[place].report_status(None if code is None else rules.checked(code))
    headers = context.get_response_headers(place)
    kept = rules.headers(headers, kind)
    headers.clear()
    headers.update(kept)


def failure(context: Any, place: int, code: int, kind: str, message: str) -> bytes:
    """Make a request's answer an error, and return its body: JSON as TorchServe's own errors."""
    _reset(context.request_processor[place])
    told = rules.error(code, kind, message)
    context.set_response_status(code, "", place)
    context.get_response_headers(place).update(told.headers)
    return told.body
