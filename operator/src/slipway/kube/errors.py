"""What may go wrong between the operator and the API server: one small tree of exceptions."""

import json
import re
from collections.abc import Mapping
from typing import Any

from slipway.kube import reasons

_LONGEST_WAIT_SECONDS = 300.0
"""However long a server asks to be left alone, or what stands before it: as long as any object
waits that fails."""
_LONGEST_MESSAGE = 8192
"""How much of an answer's message is taken in, in characters: it repeats what users wrote, be it
hundreds of KiB, and goes into conditions, events and logs. A condition's message has no more."""
_EXCEEDED = "exceeded quota: "
"""What the quota's admission says. Source: plugin/pkg/admission/resourcequota/controller.go."""
_NO_RIGHT = re.compile(r'is forbidden: User ".*" cannot ')
"""What an authorizer says. Source: apiserver/pkg/endpoints/handlers/responsewriters/errors.go."""
_DENIED = re.compile(r'[^ "]+ ("[^"]*" )?is forbidden: |admission webhook ')
"""How all else begins that admission says, plugins and policies before a webhook: with whatever
status, for each of them chooses its own."""
_WEBHOOK = re.compile(
    r'(Internal error occurred: )?(failed calling webhook|admission webhook) "|'
    r"(Internal error occurred: )?conversion webhook for "
)
"""How begins what the API server says of a webhook that has to be asked and fails, or refuses as if
a server failed. Source: apiserver/pkg/util/webhook/error.go, and conversion/webhook_converter.go of
apiextensions-apiserver."""
_NAMES = re.compile(r"[A-Za-z0-9]+")
"""The names in a path of fields, and indexes, which are nobody's names."""
_EVERYWHERE = frozenset({"spec", "template", "metadata", "containers", "initContainers", "name"})
"""Names on the way to a field that say nothing of who wrote it."""


class KubeError(Exception):
    """A request to the API server that did not do what it should.

    ``reason`` is a CamelCase word that fits into a condition, ``message`` one sentence for people,
    ``status`` the HTTP status, or 0 where there was no answer.
    """

    reason = "ApiError"

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class NotFound(KubeError):  # noqa: N818 - named as Kubernetes names the status
    """The object, its namespace or its kind does not exist (404, 410)."""

    reason = "NotFound"


class Conflict(KubeError):  # noqa: N818 - named as Kubernetes names the status
    """The object is another one than expected, or was changed meanwhile (409)."""

    reason = "Conflict"


class AlreadyExists(KubeError):  # noqa: N818 - named as Kubernetes names the status
    """There is an object of this name already, ours or somebody else's."""

    reason = "AlreadyExists"


class Rejected(KubeError):  # noqa: N818 - named as Kubernetes names the status
    """What would be refused again: here, by an admission plugin, webhook or policy (403, 422)."""

    reason = reasons.APPLY_REJECTED


class Invalid(Rejected):
    """The API server takes no such object (400, 413, 422 and the like); ``fields`` says why.

    They are paths such as ``spec.template.spec.containers[0].image``; none where it names none.
    """

    reason = reasons.INVALID_CHILD

    def __init__(self, message: str, status: int = 0, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message, status)
        self.fields = fields


class Forbidden(Rejected):
    """The operator's account may not do this (403)."""

    reason = reasons.FORBIDDEN


class QuotaExceeded(Rejected):
    """A ResourceQuota of the namespace leaves no room for the object (403)."""

    reason = reasons.QUOTA_EXCEEDED


class NameConflict(KubeError):  # noqa: N818 - the reason shown in conditions
    """An object of somebody else has the name that a child needs; it is never taken over."""

    reason = reasons.NAME_CONFLICT


class Unavailable(KubeError):  # noqa: N818 - named as Kubernetes names the status
    """The API server did not answer, is overloaded or fails (429, 5xx, time-outs).

    ``retry_after`` is the wait in seconds that the server asks for; 0 where it asks for none.
    """

    reason = "ApiUnavailable"

    def __init__(self, message: str, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(message, status)
        self.retry_after = retry_after

    @property
    def passes_soon(self) -> bool:
        """Whether asking again within seconds is worth a request."""
        return self.status not in {401, 403}

    @property
    def may_last(self) -> bool:
        """Whether it may be this object's alone, to be told on it where it goes on."""
        return self.status == 500


class Lingering(Unavailable):
    """A child of a deleted object of the same name is still there; it should go by itself."""

    reason = reasons.NAME_CONFLICT
    may_last = True


class WebhookFailed(Unavailable):
    """A webhook that has to be asked about this object fails; all others may go on (5xx)."""

    reason = reasons.WEBHOOK_FAILED


class NamespaceGoing(Unavailable):
    """The namespace is being deleted: it takes nothing new until it is gone, whoever holds it."""

    reason = "NamespaceTerminating"


def _payload(body: object) -> dict[str, Any]:
    try:
        found = json.loads(body) if isinstance(body, str | bytes) else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _details(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a Status' details; empty where what stands between says something else there."""
    found = payload.get("details")
    return found if isinstance(found, dict) else {}


def retry_after(headers: Mapping[str, str] | None, told: object = None) -> float:
    """Return for how many seconds a server asks to be left alone; 0 where it does not say.

    ``told`` is what it says elsewhere than by Retry-After, of which a date is not read.
    """
    text: Any = (headers or {}).get("Retry-After") or told
    try:
        asked = float(text or 0)
    except (TypeError, ValueError):
        return 0.0
    return min(max(0.0, asked), _LONGEST_WAIT_SECONDS)


def _causes(payload: dict[str, Any]) -> list[dict[str, Any]]:
    causes = _details(payload).get("causes")
    found = causes if isinstance(causes, list) else []
    return [cause for cause in found if isinstance(cause, dict)]


def _is_terminating(payload: dict[str, Any]) -> bool:
    return any(cause.get("reason") == "NamespaceTerminating" for cause in _causes(payload))


def from_status(status: int, body: object, headers: Mapping[str, str] | None = None) -> KubeError:
    """Return the exception for an answer outside 2xx; ``body`` is a ``Status`` object or text."""
    payload = _payload(body)
    told = str(payload.get("message") or f"The API server answered with status {status}.")
    message = told[:_LONGEST_MESSAGE]
    if status in {404, 410}:
        return NotFound(message, status)
    if status == 409:
        return Conflict(message, status)
    if _is_terminating(payload):
        return NamespaceGoing(message, status)
    if status in {429, 401} or status >= 500:
        asked = _details(payload).get("retryAfterSeconds")
        kind = WebhookFailed if _WEBHOOK.match(message) else Unavailable
        return kind(message, status, retry_after(headers, asked))
    return _refused(message, status, payload)


def _refused(message: str, status: int, payload: dict[str, Any]) -> Rejected:
    """Return what a refusal means: a quota, what admission says, no right, or a bad object."""
    if status == 403 and _EXCEEDED in message:
        return QuotaExceeded(message, status)
    if _DENIED.match(message) and not _NO_RIGHT.search(message):
        return Rejected(message, status)
    if status == 403:
        return Forbidden(message, status)
    fields = tuple(str(cause["field"]) for cause in _causes(payload) if cause.get("field"))
    return Invalid(message, status, fields)


Told = Rejected | NameConflict | WebhookFailed
"""What stands in the way of one child, and is told on its owner."""


def reason_for(error: Told, owner: Mapping[str, Any], fence: str) -> str:
    """Return the reason that an object's condition has for a child that is refused.

    It tells who is to mend it. What ``fence``, the admission policy of the operator's own release,
    refuses is the operator's, as is a child that the API server takes for invalid; but not one
    that is invalid in fields of names that the owner's author wrote.
    """
    if f"ValidatingAdmissionPolicy '{fence}' " in error.message:
        return reasons.INVALID_CHILD
    if isinstance(error, Invalid) and error.fields:
        written = _names(owner.get("spec"))
        if all(_is_of_author(field, written) for field in error.fields):
            return reasons.APPLY_REJECTED
    return error.reason


def told_reason(error: Exception) -> str:
    """Return the reason under which a failure that goes on is told on its object."""
    return error.reason if isinstance(error, Lingering) else reasons.RECONCILE_FAILED


def _is_of_author(field: str, written: frozenset[str]) -> bool:
    """Tell whether a path in a child's spec leads through a name that the author wrote."""
    names = frozenset(_NAMES.findall(field)) - _EVERYWHERE
    return field.startswith("spec.") and not names.isdisjoint(written)


def _names(value: object) -> frozenset[str]:
    """Return the names of all fields in a JSON value."""
    if isinstance(value, Mapping):
        return frozenset(value).union(*map(_names, value.values()))
    return frozenset().union(*map(_names, value)) if isinstance(value, list) else frozenset()
