"""What may go wrong between the operator and the API server: one small tree of exceptions."""

import json
import re
from collections.abc import Mapping
from typing import Any

from slipway.kube import reasons

_LONGEST_WAIT_SECONDS = 300.0
"""However long a server asks to be left alone, or what stands before it: as long as any object
waits that fails."""
_EXCEEDED = "exceeded quota: "
"""What the quota's admission says. Source: plugin/pkg/admission/resourcequota/controller.go."""
_NO_RIGHT = re.compile(r'is forbidden: User ".*" cannot ')
"""What an authorizer says. Source: apiserver/pkg/endpoints/handlers/responsewriters/errors.go."""
_DENIED = re.compile("is forbidden: |^admission webhook ")
"""How all else begins that admission says, plugins and policies before a webhook."""


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
    """The API server refuses the request and would refuse it again (400, 422 and the like).

    Also what an admission plugin, webhook or policy forbids (403).
    """

    reason = reasons.APPLY_REJECTED


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

    Also a namespace that is being deleted: it refuses what is new until it is gone. ``retry_after``
    is the wait in seconds that the server asks for; 0 where it asks for none.
    """

    reason = "ApiUnavailable"

    def __init__(self, message: str, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(message, status)
        self.retry_after = retry_after

    @property
    def passes_soon(self) -> bool:
        """Whether asking again within seconds is worth a request."""
        return self.status not in {401, 403}


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


def _retry_after(headers: Mapping[str, str] | None, payload: dict[str, Any]) -> float:
    text = (headers or {}).get("Retry-After") or _details(payload).get("retryAfterSeconds")
    try:
        asked = float(text or 0)
    except (TypeError, ValueError):
        return 0.0
    return min(max(0.0, asked), _LONGEST_WAIT_SECONDS)


def _is_terminating(payload: dict[str, Any]) -> bool:
    causes = _details(payload).get("causes")
    found = causes if isinstance(causes, list) else []
    told = (cause.get("reason") for cause in found if isinstance(cause, dict))
    return "NamespaceTerminating" in told


def from_status(status: int, body: object, headers: Mapping[str, str] | None = None) -> KubeError:
    """Return the exception for an answer outside 2xx; ``body`` is a ``Status`` object or text."""
    payload = _payload(body)
    message = str(payload.get("message") or f"The API server answered with status {status}.")
    if status in {404, 410}:
        return NotFound(message, status)
    if status == 409:
        return Conflict(message, status)
    if status in {429, 401} or status >= 500 or _is_terminating(payload):
        return Unavailable(message, status, _retry_after(headers, payload))
    return _forbidden(message) if status == 403 else Rejected(message, status)


def _forbidden(message: str) -> Rejected:
    """Return what a 403 means: the operator's rights, a quota, or what admission says."""
    if _EXCEEDED in message:
        return QuotaExceeded(message, 403)
    admitted = _DENIED.search(message) and not _NO_RIGHT.search(message)
    return Rejected(message, 403) if admitted else Forbidden(message, 403)
