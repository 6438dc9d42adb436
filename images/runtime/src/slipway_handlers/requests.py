"""Requests as TorchServe hands them to a handler, and answers for a whole batch."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

LOG = logging.getLogger(__name__)
BAD_REQUEST = 400


class BadInputError(ValueError):
    """The client's input is not valid; the text is for the client to read."""


def answer_all(
    data: Sequence[Mapping[str, Any]],
    context: Any,
    read: Callable[[Any], T],
    compute: Callable[[list[T]], list[Any]],
) -> list[Any]:
    """Return an answer to each request of a batch, in order.

    ``read`` makes the model's input of a request's body or raises BadInputError; ``compute`` gets
    all the inputs at once, if there are any, and returns an answer to each; where it raises
    BadInputError, it gets each of them alone. A request that is not valid is answered alone, with
    the code 400 and TorchServe's own form of an error.
    """
    inputs: dict[int, T] = {}
    answers: list[Any] = []
    for place, request in enumerate(data):
        try:
            inputs[place] = read(body(request))
            answers.append(None)
        except BadInputError as error:
            answers.append(error)
    if inputs:
        for place, answer in zip(inputs, _computed(list(inputs.values()), compute), strict=True):
            answers[place] = answer
    return [
        _refused(one, place, context) if isinstance(one, BadInputError) else one
        for place, one in enumerate(answers)
    ]


def _computed(inputs: list[T], compute: Callable[[list[T]], list[Any]]) -> list[Any]:
    """Return the answer to each input, or the BadInputError that it alone causes."""
    try:
        return compute(inputs)
    except BadInputError as error:
        if len(inputs) == 1:
            return [error]
    return [_computed([one], compute)[0] for one in inputs]


def _refused(error: BadInputError, place: int, context: Any) -> dict[str, Any]:
    """Return the answer to a request that is not valid, and set its code."""
    LOG.info("A request was refused with %d: %s", BAD_REQUEST, error)
    context.set_response_status(BAD_REQUEST, "Bad Request", place)
    message = f"The input is not valid: {error}"
    return {"code": BAD_REQUEST, "type": "BadRequest", "message": message}


def body(request: Mapping[str, Any]) -> Any:
    """Return what a request holds: JSON that TorchServe has read already, a text or bytes.

    Of a form it is the only part, whatever its name is. Raises BadInputError.
    """
    for name in ("body", "data"):
        if name in request:
            return request[name]
    if len(request) == 1:
        return next(iter(request.values()))
    raise BadInputError(f"it has {len(request)} parts: send a body, or a form with one part")


def as_json(found: Any) -> Any:
    """Return a body as JSON, if TorchServe has not read it for want of a content type."""
    if not isinstance(found, str | bytes | bytearray):
        return found
    try:
        return json.loads(found)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"it is no JSON: {error}") from error
