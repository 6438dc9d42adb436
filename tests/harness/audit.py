"""The apiserver's audit log, read as the requests that a user made."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class Request:
    """One request; ``resource`` is plural with its subresource, as in ``trainingjobs/status``.

    ``uri`` is its path and query.
    """

    user: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    uri: str = ""

    @property
    def is_write(self) -> bool:
        """Whether it asked for a change, be it granted or refused.

        Who one is is asked by a create that stores nothing.
        """
        return self.verb in WRITES and self.resource != "selfsubjectreviews"


class AuditLog:
    """The audit log from the moment this object was made, or ``mark`` was last called, on.

    With a ``namespace`` it leaves out what is in others.
    """

    def __init__(self, path: Path, namespace: str = "") -> None:
        self.path = path
        self.namespace = namespace
        self._from = 0
        self.mark()

    def mark(self) -> None:
        """Forget the requests so far."""
        self._from = self.path.stat().st_size if self.path.exists() else 0

    def requests(self, user: str = "") -> Iterator[Request]:
        """Yield the requests since the mark, of one user or of all, in order of their end."""
        with self.path.open("rb") as log:
            log.seek(self._from)
            for line in log:
                if line.endswith(b"\n"):
                    request = _request(json.loads(line))
                    elsewhere = self.namespace and request.namespace not in ("", self.namespace)
                    if user in ("", request.user) and not elsewhere:
                        yield request

    def writes(
        self, user: str = "", ignoring: Iterable[str] = ("leases", "events")
    ) -> Counter[tuple[str, str]]:
        """Count write requests by (resource, verb), leaving out some resources."""
        ignored = frozenset(ignoring)
        return Counter(
            (request.resource, request.verb)
            for request in self.requests(user)
            if request.is_write and request.resource not in ignored
        )


def service_account(namespace: str, name: str) -> str:
    """Return the user name under which a service account appears."""
    return f"system:serviceaccount:{namespace}:{name}"


def _request(event: dict) -> Request:  # type: ignore[type-arg]
    at = event.get("objectRef", {})
    resource = "/".join(filter(None, (at.get("resource", ""), at.get("subresource", ""))))
    return Request(
        user=event["user"].get("username", ""),
        verb=event["verb"],
        resource=resource,
        namespace=at.get("namespace", ""),
        name=at.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        uri=event.get("requestURI", ""),
    )
