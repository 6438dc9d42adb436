"""Carrying out what a plan asks for, with no more writes than it takes."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cachetools import LRUCache

from slipway.kube.client import Client
from slipway.kube.errors import AlreadyExists, Conflict, Lingering, NameConflict, NotFound
from slipway.kube.watched.cache import Cache
from slipway.kube.watched.identity import controller_of, uid_of
from slipway.kube.watched.shared import SharedMemory, is_ours, secret_data
from slipway.kube.watched.slim import slim
from slipway.kube.writes.compare import (
    contains,
    content_hash,
    is_applied,
    is_patched,
    manifest_hash,
    with_data,
    with_hash,
)
from slipway.kube.writes.outcomes import Outcomes
from slipway.kube.writes.ownership import as_applied
from slipway.plan import Delete, Manifest, ObjectRef, Patch

Fill = Callable[[str, Mapping[str, str] | None], Awaitable[Mapping[str, str]]]
"""Returns what is put into a namespace's shared Secret, for what it holds; None where there is
none. It may raise what the caller of `Writer.apply` understands."""

_MADE_ONCE = frozenset({"Job"})
"""Kinds that are created and never applied again: what may change of them is patched."""
_TRIES = 3
"""How often the owners of a child's fields are written where others change it meanwhile."""
_MOST = 16384
"""How many children are remembered as applied."""


def check_controller(live: Manifest, owner: Manifest) -> None:
    """Raise where an object is not a child of this owner.

    The child of a namesake that was deleted raises ``Lingering``, for it goes by itself; anything
    else raises ``NameConflict``.
    """
    controller = controller_of(live)
    if controller.get("uid") == owner["metadata"]["uid"]:
        return
    ref = ObjectRef.of(live)
    same_name = (owner["kind"], owner["metadata"]["name"])
    if (controller.get("kind"), controller.get("name")) == same_name:
        raise Lingering(f"{ref.kind} {ref.name} of the object's predecessor is still there.")
    holder = f"{controller['kind']} {controller['name']}" if controller else "nobody"
    raise NameConflict(
        f"The namespace already has a {ref.kind} named {ref.name}, controlled by {holder}: delete "
        "it, or give this object another name."
    )


class Writer:
    """Writes children, shared Secrets and deletions; each method tells whether it wrote."""

    def __init__(self, client: Client, cache: Cache, fill: Fill) -> None:
        self._client = client
        self._cache = cache
        self._fill = fill
        self._shared = SharedMemory(cache)
        self._owned: LRUCache[str, None] = LRUCache(_MOST)
        self._outcomes = Outcomes(_MOST)

    async def apply(self, manifest: Manifest, owner: Manifest) -> bool:
        """Apply one manifest: a Secret is shared by its namespace, all else is a child.

        Raises ``NameConflict`` where the name is taken by an object that is no child of the owner.
        """
        if manifest["kind"] == "Secret":
            return await self._apply_shared(manifest, owner)
        ref, desired = ObjectRef.of(manifest), with_hash(manifest)
        live = await self._known(ref, owner)
        if live is None:
            try:
                answer = await self._client.create_new(desired)
            except AlreadyExists:
                live = await self._client.get(ref)
                if live is None:
                    raise
            else:
                self._take(answer, desired, is_applied)
                return True
        return await self._apply_over(live, desired, owner)

    async def _known(self, ref: ObjectRef, owner: Manifest) -> Manifest | None:
        """Return a child as the cache has it; what seems to be another's is read anew before.

        A kind of gang schedulers is not watched, and a watch may lag: what stood in the way may
        have gone meanwhile.
        """
        live = self._cache.get(ref)
        if live is None or controller_of(live).get("uid") == uid_of(owner):
            return live
        newest = await self._client.get(ref)
        if newest is None:
            self._cache.remove(ref, uid_of(live))
        return newest

    async def _apply_over(self, live: Manifest, desired: Manifest, owner: Manifest) -> bool:
        check_controller(live, owner)
        made = desired["kind"] in _MADE_ONCE or is_applied(live, desired)
        going = live["metadata"].get("deletionTimestamp")
        if made or going or self._outcomes.expects(desired, slim(live)):
            self._cache.feed(live)
            return False
        await self._own(live)
        became = self._take(await self._client.apply(desired), desired, is_applied)
        return content_hash(became) != content_hash(slim(live))

    def _take(
        self, answer: Manifest, written: Mapping[str, Any], holds: Callable[[Any, Any], bool]
    ) -> Manifest:
        """Take in the answer to a write, and remember it if it is not what was written."""
        self._cache.feed(answer)
        became = slim(answer)
        if not holds(became, written):
            self._outcomes.learn(written, became)
        return became

    async def _own(self, child: Manifest) -> None:
        """Have what was created count as applied, so that an apply takes away what is not wanted.

        Raises ``Conflict`` where others change the child again and again.
        """
        uid = child["metadata"]["uid"]
        if uid in self._owned:
            return
        for left in reversed(range(_TRIES)):
            try:
                await self._write_owners(ObjectRef.of(child))
                break
            except Conflict:
                if not left:
                    raise
        self._owned[uid] = None

    async def _write_owners(self, ref: ObjectRef) -> None:
        meta = (await self._client.get(ref) or {}).get("metadata") or {}
        entries = as_applied(meta.get("managedFields") or ())
        if entries is not None:
            version = meta["resourceVersion"]
            body = {"metadata": {"managedFields": entries, "resourceVersion": version}}
            await self._client.patch(ref, body)

    async def _apply_shared(self, manifest: Manifest, owner: Manifest) -> bool:
        """Apply a Secret unless the namespace has one of its own under that name."""
        ref, digest = ObjectRef.of(manifest), manifest_hash(manifest)
        async with self._shared.lock(ref):
            if self._shared.knows(ref, digest, owner):
                return False
            with self._shared.learning(ref, digest, owner):
                return await self._write_shared(ref, manifest)

    async def drop_shared(self, ref: ObjectRef, unused: Callable[[], bool]) -> bool:
        """Delete a shared Secret that the operator made, if it is still ``unused``.

        One that a namespace brought itself is left alone, and so is one that a new object came for
        meanwhile.
        """
        async with self._shared.lock(ref):
            live = await self._client.get(ref)
            if live is None or not unused() or not is_ours(live):
                return False
            self._shared.forget(ref)
            return await self.delete(Delete(ref, live["metadata"]["uid"]))

    async def _write_shared(self, ref: ObjectRef, manifest: Manifest) -> bool:
        live = await self._client.get(ref)
        if live is not None and not is_ours(live):
            return False
        plain = {**manifest["stringData"], **await self._fill(ref.namespace, secret_data(live))}
        desired = with_data({**manifest, "stringData": plain})
        same_keys = live is not None and (live.get("data") or {}).keys() == desired["data"].keys()
        if live is not None and same_keys and contains(live, desired):
            return False
        await self._client.apply(desired)
        return True

    async def patch(self, patch: Patch) -> bool:
        """Send a merge patch unless the object already has what it sets; a lost object is fine."""
        live = self._cache.get(patch.ref)
        if live is not None and is_patched(live, patch.body):
            return False
        if live is not None and self._outcomes.expects(patch.body, live):
            return False
        try:
            answer = await self._client.patch(patch.ref, patch.body)
        except NotFound:
            return False
        became = self._take(answer, patch.body, is_patched)
        return live is None or content_hash(became) != content_hash(live)

    async def delete(self, delete: Delete) -> bool:
        """Delete an object; one that is gone, going, or another one by now is fine.

        One that was known and is gone counts as deleted.
        """
        live = self._cache.get(delete.ref)
        going = live is not None and live["metadata"].get("deletionTimestamp")
        if going and delete.grace_seconds is None:
            return False
        try:
            answer = await self._client.delete(delete)
        except Conflict:
            return False
        except NotFound:
            # The watch's word of it will be no news any more: what follows from it must not wait.
            return self._cache.remove(delete.ref, delete.uid)
        if answer.get("kind") == delete.ref.kind:
            self._cache.feed(answer)
        else:
            self._cache.remove(delete.ref, delete.uid)
        return True
