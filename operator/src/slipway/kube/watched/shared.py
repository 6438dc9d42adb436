"""What is remembered of the Secrets that all objects of a namespace share."""

import asyncio
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from slipway.kube.resources import OWN
from slipway.kube.watched.cache import Cache
from slipway.manifests import MANAGED_BY, MANAGER
from slipway.plan import Manifest, ObjectRef

_SECONDS = 20.0
"""How long a shared Secret that was found as it should be is not looked at again."""


@dataclass
class _Seen:
    """What was last found at a place, for which owners, and until when it is believed."""

    digest: str = ""
    owners: frozenset[str] = frozenset()
    until: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class SharedMemory:
    """Remembers shortly which Secrets are as they should be, and on whose behalf.

    An owner that was there before the Secret was looked at may rely on it: were the namespace
    deleted and made anew since, the owner would be gone as well. A newer one may not.
    """

    def __init__(self, cache: Cache, clock: Callable[[], float] = time.monotonic) -> None:
        self._cache = cache
        self._clock = clock
        self._seen: dict[ObjectRef, _Seen] = {}

    def lock(self, ref: ObjectRef) -> asyncio.Lock:
        """Return the lock under which one at a time looks at a Secret."""
        return self._seen.setdefault(ref, _Seen()).lock

    def knows(self, ref: ObjectRef, digest: str, owner: Manifest) -> bool:
        """Tell whether a Secret with this digest is known to be there for this owner."""
        seen = self._seen.get(ref, _Seen())
        known = seen.digest == digest and owner["metadata"]["uid"] in seen.owners
        return known and self._clock() < seen.until

    @contextmanager
    def learning(self, ref: ObjectRef, digest: str, owner: Manifest) -> Iterator[None]:
        """Remember what the block makes sure of, for all owners that were there before it."""
        owners = frozenset(self._owners(ref.namespace)) | {owner["metadata"]["uid"]}
        yield
        seen = self._seen.setdefault(ref, _Seen())
        seen.digest, seen.owners, seen.until = digest, owners, self._clock() + _SECONDS
        self._forget()

    def forget(self, ref: ObjectRef) -> None:
        """Remember nothing of a Secret any more."""
        if ref in self._seen:
            self._seen[ref].digest = ""

    def _owners(self, namespace: str) -> Iterator[str]:
        for resource in OWN:
            for _, uid, _ in self._cache.uids(resource.kind, namespace):
                yield uid

    def _forget(self) -> None:
        now = self._clock()
        old = [r for r, seen in self._seen.items() if seen.until < now and not seen.lock.locked()]
        for ref in old:
            del self._seen[ref]


def is_ours(secret: Manifest) -> bool:
    """Tell whether the operator made a Secret, and not the namespace's administrators."""
    return bool((secret["metadata"].get("labels") or {}).get(MANAGED_BY) == MANAGER)


def secret_data(secret: Manifest | None) -> dict[str, str] | None:
    """Return what a Secret holds, as text; None where there is no Secret."""
    if secret is None:
        return None
    data = secret.get("data") or {}
    return {key: b64decode(value).decode(errors="replace") for key, value in data.items()}
