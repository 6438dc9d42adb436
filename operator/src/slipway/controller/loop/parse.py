"""Reading the JSON of our own kinds into their models."""

from typing import TypeVar

from pydantic import ValidationError

from slipway.api.common import OwnerLike
from slipway.kube.watched.slim import has_ended
from slipway.manifests import UNREADABLE
from slipway.plan import Manifest

Model = TypeVar("Model", bound=OwnerLike)
_MOST_ERRORS = 5


class InvalidObject(Exception):  # noqa: N818 - the reason shown in conditions is InvalidSpec
    """An object that the API server holds and this release cannot read."""


def _sentence(error: ValidationError, what: str = "the object") -> str:
    parts = [
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False)[:_MOST_ERRORS]
    ]
    return f"This release cannot read {what}: " + "; ".join(parts)


def parse(model: type[Model], raw: Manifest) -> Model:
    """Return the model of an object.

    A status that cannot be read, as another release may have written it, is taken for empty: it
    is made anew from what is observed. Not that of an object that has ended, which would be run
    once more: that is left as it is. Raises ``InvalidObject`` for one, and where the rest cannot be
    read.
    """
    why = (raw.get("spec") or {}).get(UNREADABLE)
    if why is not None:
        raise InvalidObject(f"This release cannot read the object: {why}.")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        unread = error
    try:
        found = model.model_validate({**raw, "status": {}})
    except ValidationError as error:
        raise InvalidObject(_sentence(error)) from error
    if has_ended(raw):
        raise InvalidObject(_sentence(unread, "the status, so the object is left as it is"))
    return found


def parse_or_none(model: type[Model], raw: Manifest) -> Model | None:
    """Return the model of an object, or None where it cannot be read."""
    try:
        return parse(model, raw)
    except InvalidObject:
        return None
