"""For handlers: how to refuse a bad request, so that it counts against the client and no revision.

An exception of a handler is a 503, and a canary is judged by it. What is wrong with the request
itself is the client's to mend: a handler says so by `BadRequest`, whose text the client gets with
a code from 400 to 499::

    from slipway_runtime.handler import BadRequest, refusing

    class Flowers(BaseHandler):
        @refusing(ValueError, KeyError, TypeError)
        def preprocess(self, data):
            return torch.tensor([row["body"]["inputs"] for row in data])
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound="Callable[..., Any]")


class BadRequest(Exception):  # noqa: N818 - named as the answer that it makes
    """The request cannot be answered, by the client's fault; the text is the client's to read."""

    def __init__(self, text: str, code: int = 400) -> None:
        if not 400 <= code <= 499:
            raise ValueError(f"A bad request has a code from 400 to 499, not {code}.")
        super().__init__(text)
        self.code = code


def refusing(*errors: type[Exception]) -> Callable[[F], F]:
    """Return a decorator that makes some exceptions a `BadRequest` with the exception's text."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def refuse(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except errors as error:
                raise BadRequest(f"The input is not valid: {describe(error)}") from error

        return cast("F", refuse)

    return decorate


def describe(error: BaseException) -> str:
    """Return an exception as a client may read it: of a KeyError the text is but the key."""
    text = str(error) or "no further word"
    return f"there is no {text}" if isinstance(error, KeyError) else text
