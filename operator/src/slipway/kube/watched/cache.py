"""What the operator knows of the cluster: its own kinds, and their children by owner.

The watches feed it, and so does the answer to each of the operator's own writes: a reconcile sees
what the one before it wrote. Whatever comes twice or late loses against the newer version.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from cachetools import FIFOCache

from slipway.api.base import API_VERSION
from slipway.kube.resources import GANG_OBJECTS
from slipway.kube.watched.gone import GonePods
from slipway.kube.watched.identity import (
    OwnerKey,
    controller_of,
    is_grandchild,
    owner_of,
    uid_of,
    version_of,
)
from slipway.kube.watched.indexes import Packages, Servers, Turns
from slipway.kube.watched.packing import Entry
from slipway.kube.watched.room import Room
from slipway.kube.watched.slim import outline, skeleton, slim
from slipway.manifests import OWNER_LABELS
from slipway.plan import Children, Manifest, ObjectRef

_TOMBSTONES = 4096
_GONE_PODS = 512
"""How many deleted pods are remembered as they were last seen."""
_HEAVIEST_GONE = 64 << 10
"""A deleted pod that takes more, in bytes and unfolded, is not remembered."""
_UNWATCHED = frozenset(resource.kind for resource in GANG_OBJECTS)


class Cache:
    """All objects that the watches cover. Not thread-safe: one event loop uses it.

    The objects of a namespace take ``most`` bytes of memory, or about that: of those for which
    there is no room an outline is kept.
    """

    def __init__(self, most: float = math.inf) -> None:
        self.room = Room(most)
        self._kinds: dict[str, dict[str, dict[ObjectRef, Entry]]] = {}
        self._by_owner: dict[OwnerKey, dict[ObjectRef, None]] = {}
        self._tombstones: FIFOCache[str, float] = FIFOCache(_TOMBSTONES)
        self._gone_pods = GonePods(_GONE_PODS)
        self._left_out: set[OwnerKey] = set()
        self.packages, self.servers, self.turns = Packages(), Servers(), Turns()
        self.unknown: set[str] = set()
        """Served namespaces that could not be read: whatever may be there."""
        self.unhandled: dict[str, tuple[ObjectRef, int]] = {}
        """By UID those objects, with their version, that could not be taken in as they are now."""

    def __len__(self) -> int:
        return sum(len(place) for kind in self._kinds.values() for place in kind.values())

    def __contains__(self, ref: ObjectRef) -> bool:
        return self._entry(ref) is not None

    def feed(self, obj: Mapping[str, Any]) -> bool:
        """Take in a version of an object; tell whether it is news.

        A known object with another UID is gone, whether or not a watch has said so. A pod that has
        ended is no news once its TrainingJob has, and is not kept.
        """
        ref, uid, version = ObjectRef.of(obj), uid_of(obj), version_of(obj)
        known = self._entry(ref)
        if version <= self._tombstones.get(uid, -1) or (known and known.version > version):
            return False
        if known and known.version == version and not known.missing:
            return False
        slimmed = slim(obj)
        entry = Entry.of(slimmed)  # where that fails, the version before is known still
        if known and known.uid != uid:
            self.remove(ref, known.uid)
        elif known:
            self._forget(ref, known)
        return self._take_in(ref, slimmed, entry)

    def _take_in(self, ref: ObjectRef, obj: Manifest, entry: Entry) -> bool:
        owner = owner_of(obj)
        orphan = ref.kind in _UNWATCHED and not (owner and self._master(owner))
        if orphan or (owner and ref.kind == "Pod" and self._is_spent(entry, owner)):
            return False
        if not self.room.has(ref.namespace, entry.weight):
            obj = outline(obj, self.room.sentence(ref.namespace))
            entry.keep(obj, missing=entry.weight)
        self._kinds.setdefault(ref.kind, {}).setdefault(ref.namespace, {})[ref] = entry
        self.room.change(ref.namespace, entry.weight, bool(entry.missing))
        if owner:
            self._by_owner.setdefault(owner, {})[ref] = None
        self.packages.add(ref, obj)
        self.servers.add(ref, obj)
        self.turns.add(ref, obj)
        if entry.ended and ref.kind == "Job" and owner:
            self._end(owner)
        elif entry.ended and ref.kind in OWNER_LABELS:
            self._end(OwnerKey(ref.kind, ref.namespace, ref.name))
        return True

    def remove(self, ref: ObjectRef, uid: str, version: float = math.inf) -> bool:
        """Drop an object that is gone; tell whether it was known.

        A watch and a listing also say "gone" of what only lost the label that they select by. With
        the ``version`` at which they say so, what is newer is news again; without it nothing is.
        """
        self._tombstones[uid] = version
        known = self._entry(ref)
        if known is None or known.uid != uid:
            return False
        light = max(known.weight, known.unfolds) <= _HEAVIEST_GONE and not known.missing
        pod = known.obj if ref.kind == "Pod" and light else None
        self._forget(ref, known)
        owner = owner_of(pod) if pod else None
        if pod and owner and self._master(owner) and controller_of(pod).get("kind") == "Job":
            self._gone_pods.add(owner, uid, pod)
        if ref.kind in OWNER_LABELS:
            self._leave(OwnerKey(ref.kind, ref.namespace, ref.name))
        return True

    def _leave(self, owner: OwnerKey) -> None:
        """Drop what goes with an owner and is told of by no watch."""
        for child, entry in self._family(owner).items():
            if child.kind in _UNWATCHED:
                self._forget(child, entry)
        self._gone_pods.forget(owner)
        self._left_out.discard(owner)

    def _end(self, owner: OwnerKey) -> None:
        """Keep no more of the children of what has ended than that they have."""
        master = self._master(owner)
        if master is None or not master.ended:
            return
        family = self._family(owner)
        over = [r for r, entry in family.items() if r.kind == "Job" and entry.ended]
        for ref in over:
            if family[ref].controller == master.uid:
                self._strip(ref, family[ref])
        for ref, entry in family.items():
            if ref.kind == "Pod" and self._is_spent(entry, owner):
                self._forget(ref, entry)
        self._gone_pods.forget(owner)

    def _strip(self, ref: ObjectRef, job: Entry) -> None:
        """Keep of a Job that it has ended."""
        weight, outlines = job.weight, bool(job.missing)
        job.keep(skeleton(job.obj))
        self.room.change(ref.namespace, job.weight - weight, -outlines)

    def _is_spent(self, pod: Entry, owner: OwnerKey) -> bool:
        """Tell whether a pod has ended, and its Job, and the TrainingJob that it trained."""
        master = self._master(owner) if pod.ended else None
        if master is None or not master.ended:
            return False
        refs = (ref for ref in self._by_owner.get(owner, ()) if ref.kind == "Job")
        jobs = filter(None, map(self._entry, refs))
        mine = (job for job in jobs if job.ended and job.controller == master.uid)
        return any(job.uid == pod.controller for job in mine)

    def _entry(self, ref: ObjectRef) -> Entry | None:
        return self._kinds.get(ref.kind, {}).get(ref.namespace, {}).get(ref)

    def _master(self, owner: OwnerKey) -> Entry | None:
        return self._entry(ObjectRef(API_VERSION, *owner))

    def _forget(self, ref: ObjectRef, known: Entry) -> None:
        place = self._kinds[ref.kind][ref.namespace]
        del place[ref]
        if not place:
            del self._kinds[ref.kind][ref.namespace]
        self.room.change(ref.namespace, -known.weight, -bool(known.missing))
        self.packages.remove(ref)
        self.servers.remove(ref)
        self.turns.remove(ref)
        owner = owner_of(known.obj)
        if owner and (siblings := self._by_owner.get(owner)):
            siblings.pop(ref, None)
            if not siblings:
                del self._by_owner[owner]

    def _family(self, owner: OwnerKey) -> dict[ObjectRef, Entry]:
        found = ((ref, self._entry(ref)) for ref in self._by_owner.get(owner, ()))
        return {ref: entry for ref, entry in found if entry}

    def outlines(self, ref: ObjectRef) -> list[ObjectRef]:
        """Return which of an object and its children are kept in outline."""
        if not self.room.is_short(ref.namespace):
            return []
        known = {ref: self._entry(ref), **self._family(OwnerKey(ref.kind, ref.namespace, ref.name))}
        return [each for each, entry in known.items() if entry and entry.missing]

    def fit(self, refs: Iterable[ObjectRef]) -> bool:
        """Tell whether there is room for the whole of objects of a namespace."""
        known = [(ref.namespace, self._entry(ref)) for ref in refs]
        more = sum(entry.missing - entry.weight for _, entry in known if entry)
        return all(self.room.has(namespace, more) for namespace, _ in known)

    def fits_at_once(self, ref: ObjectRef) -> bool:
        """Tell whether there is room to read an object together with all its children."""
        family = self._family(OwnerKey(ref.kind, ref.namespace, ref.name)).values()
        known = self._entry(ref)
        return self.room.has_at_once(sum(e.unfolds for e in (known, *family) if e))

    def get(self, ref: ObjectRef) -> Manifest | None:
        """Return the newest known version of an object, or None. It must not be changed."""
        entry = self._entry(ref)
        return entry.obj if entry else None

    def namespaces(self, kind: str) -> Collection[str]:
        """Return the namespaces that have objects of a kind, as they are at any moment."""
        return self._kinds.get(kind, {}).keys()

    def refs(self, kind: str, namespace: str | None = None) -> tuple[ObjectRef, ...]:
        """Return the names of all known objects of a kind, or of a namespace."""
        return tuple(ref for ref, _ in self._of_kind(kind, namespace))

    def uids(self, kind: str, namespace: str | None = None) -> Iterator[tuple[ObjectRef, str, int]]:
        """Yield reference, UID and version of all known objects of a kind, or of a namespace."""
        for ref, entry in self._of_kind(kind, namespace):
            yield ref, entry.uid, entry.version

    def going_on(self, namespace: str | None = None) -> Iterator[str]:
        """Yield the names of TrainingJobs, everywhere or in a namespace, that have not ended.

        One whose package is made again goes on as well. The pods of the others, once they have
        ended, are not kept.
        """
        for ref, entry in self._of_kind("TrainingJob", namespace):
            owner = OwnerKey(ref.kind, ref.namespace, ref.name)
            family = self._family(owner) if entry.ended else {}
            if not entry.ended or any(r.kind == "Job" and not e.ended for r, e in family.items()):
                yield ref.name

    def unsettled(self, namespace: str | None = None) -> Iterator[str]:
        """Yield the names of TrainingJobs, everywhere or in a namespace, that may need their Jobs.

        Those of the others need not be listed; `lacks_jobs` tells of them from then on.
        """
        for ref, entry in self._of_kind("TrainingJob", namespace):
            owner = OwnerKey(ref.kind, ref.namespace, ref.name)
            if not entry.settled:
                yield ref.name
            elif all(child.kind != "Job" for child in self._by_owner.get(owner, ())):
                self._left_out.add(owner)

    def lacks_jobs(self, ref: ObjectRef) -> bool:
        """Tell whether a TrainingJob may have Jobs that were not listed."""
        return OwnerKey(ref.kind, ref.namespace, ref.name) in self._left_out

    def feed_jobs(self, ref: ObjectRef, jobs: Iterable[Manifest]) -> None:
        """Take in the Jobs of a TrainingJob whose Jobs were not listed."""
        for job in jobs:
            self.feed(job)
        self._left_out.discard(OwnerKey(ref.kind, ref.namespace, ref.name))

    def of_kind(
        self, kind: str, namespace: str | None = None, *, ended: bool = True
    ) -> Iterable[Manifest]:
        """Yield all known objects of a kind, in all namespaces or in one.

        Each is unfolded for that. Without those that have ended there are few.
        """
        for _, entry in self._of_kind(kind, namespace):
            if ended or not entry.ended:
                yield entry.obj

    def _of_kind(self, kind: str, namespace: str | None) -> Iterator[tuple[ObjectRef, Entry]]:
        places = self._kinds.get(kind, {})
        chosen = places.values() if namespace is None else (places.get(namespace, {}),)
        for place in tuple(chosen):
            yield from tuple(place.items())

    def children(self, owner: Manifest, kind: str | None = None) -> Children:
        """Return the objects that belong to ``owner`` itself, not to a namesake before it.

        These are those that it controls, and the pods that such a one controls in turn; those of
        one ``kind`` alone, if it is given, so that no other is unfolded.
        """
        meta = owner["metadata"]
        key = OwnerKey(owner["kind"], meta["namespace"], meta["name"])
        family = self._family(key)
        direct = {ref for ref, entry in family.items() if entry.controller == meta["uid"]}
        parents = {family[ref].uid for ref in direct}
        asked = {ref: entry for ref, entry in family.items() if kind in (None, ref.kind)}
        unfolded = {ref: (entry, entry.obj) for ref, entry in asked.items()}
        mine = {
            ref: obj
            for ref, (entry, obj) in unfolded.items()
            if ref in direct or is_grandchild(entry.controller, obj, owner, parents)
        }
        gone = self._gone_pods.of(key)
        return Children(mine, tuple(p for p in gone if controller_of(p).get("uid") in parents))
