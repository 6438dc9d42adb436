"""Temporary credentials for an outside bucket, each for one namespace: AssumeRole.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from xml.etree import ElementTree

from slipway.accounts.errors import CredentialError
from slipway.accounts.policy import Document, Folder, session
from slipway.accounts.server.admin import Caller

EXPIRES = "SLIPWAY_EXPIRES"
"""Key of the Secret: until when its credentials hold, in RFC 3339."""
_MOST_POLICY = 2048
"""Longest session policy that AssumeRole takes, in characters."""
_FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Role:
    """The role to assume, for how long at a time, and what its sessions may open."""

    arn: str
    duration: timedelta
    uri: str
    shared: tuple[str, ...] = ()


class Sessions:
    """Temporary credentials for each namespace; renewed when half of their time is over.

    The role must be allowed the whole of the store's place; a session policy narrows each session
    to the folders of its namespace, and to reading what is shared.
    """

    def __init__(
        self,
        caller: Caller,
        role: Role,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._caller = caller
        self._role = role
        self._clock = clock

    async def place(self, _namespace: str, _owner: str) -> str:
        """Return the URI under which a namespace's artifacts lie."""
        return self._role.uri

    async def data(self, namespace: str, live: Mapping[str, str] | None) -> dict[str, str]:
        """Return the key for a namespace's Secret: the one it has, or a new session's."""
        if live is not None and self._is_fresh(live):
            return {name: live[name] for name in (*_FIELDS.values(), EXPIRES)}
        return await self._assume(namespace)

    async def remove(self, _namespace: str) -> None:
        """Do nothing: sessions end by themselves."""

    def _is_fresh(self, live: Mapping[str, str]) -> bool:
        if not all(live.get(name) for name in _FIELDS.values()):
            return False
        try:
            left = datetime.fromisoformat(live.get(EXPIRES, "")) - self._clock()
            return self._role.duration / 2 < left < 2 * self._role.duration
        except (ValueError, TypeError):
            return False

    async def _assume(self, namespace: str) -> dict[str, str]:
        shared = map(Folder.parse, self._role.shared)
        policy = _text(session(Folder.parse(self._role.uri), namespace, shared))
        form = {
            "Action": "AssumeRole",
            "Version": "2011-06-15",
            "RoleArn": self._role.arn,
            "RoleSessionName": _session_name(namespace),
            "DurationSeconds": str(int(self._role.duration.total_seconds())),
            "Policy": policy,
        }
        body = urlencode(form).encode()
        answer, _ = await self._caller.send("POST", "/", body, headers=_FORM)
        return _credentials(answer)


_FIELDS = {
    "AccessKeyId": "AWS_ACCESS_KEY_ID",
    "SecretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "SessionToken": "AWS_SESSION_TOKEN",
}
"""The Secret's keys, by the names that STS has for them."""


def _text(policy: Document) -> str:
    text = json.dumps(policy, separators=(",", ":"))
    if len(text) > _MOST_POLICY:
        raise CredentialError(
            f"The session policy of a namespace has {len(text)} characters, and STS takes "
            f"{_MOST_POLICY}: name fewer or shorter places in store.sharedUris, or give the "
            "namespaces Secrets of their own (store.external.namespaceSecrets)."
        )
    return text


def _session_name(namespace: str) -> str:
    """Return the name of a namespace's sessions, which audit logs show: at most 64 characters."""
    if len(namespace) <= 55:
        return f"slipway-{namespace}"
    return f"slipway-{namespace[:38]}-{hashlib.sha256(namespace.encode()).hexdigest()[:16]}"


def _credentials(answer: bytes) -> dict[str, str]:
    try:
        told = ElementTree.fromstring(answer).find(".//{*}Credentials")  # noqa: S314 - bounded
    except ElementTree.ParseError as error:
        raise CredentialError(f"The answer to AssumeRole is no XML: {error}") from error
    found = {
        key: told.findtext(f"{{*}}{name}") or "" if told is not None else ""
        for name, key in {**_FIELDS, "Expiration": EXPIRES}.items()
    }
    if not all(found.values()):
        raise CredentialError("The answer to AssumeRole has no credentials.")
    return found
