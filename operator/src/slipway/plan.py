"""What planners take and give: manifests, references, snapshots' common parts and the Plan.

Everything here is plain, frozen data. Planners are pure functions
``plan(snapshot, settings, now) -> Plan``; whoever carries a Plan out may do so twice, since every
step of it is safe to repeat.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from slipway.uris import ObjectUri

Manifest = dict[str, Any]
"""One Kubernetes object as JSON: ``apiVersion``, ``kind``, ``metadata`` and the rest."""

PROBLEM_SECONDS = 30.0
"""How soon pods that cannot start are looked at again: their Secret is put back if it is gone."""


class ObjectRef(NamedTuple):
    """The identity of an object in the cluster."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> "ObjectRef":
        """Return the reference of a manifest that has a namespace and a name."""
        meta = manifest["metadata"]
        return cls(manifest["apiVersion"], manifest["kind"], meta["namespace"], meta["name"])


@dataclass(frozen=True)
class Delete:
    """Delete one object if it still has this ``uid``.

    ``foreground``: it stays until all that it owns is gone. ``grace_seconds`` replaces a pod's own
    grace period; 0 takes the pod away without the word of its kubelet.
    """

    ref: ObjectRef
    uid: str
    foreground: bool = False
    grace_seconds: int | None = None


@dataclass(frozen=True)
class Patch:
    """A JSON merge patch (RFC 7396) of one existing object's main resource."""

    ref: ObjectRef
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Event:
    """A Kubernetes Event to record on the reconciled object.

    With ``grace_seconds`` it is recorded that much later, and only if a condition of the object
    still has its reason then.
    """

    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    grace_seconds: float = 0.0


@dataclass(frozen=True)
class StoreState:
    """What is known of the artifact store: whether its endpoint answers, and if not, why."""

    reachable: bool = True
    message: str = ""


@dataclass(frozen=True)
class StoredFolder:
    """A folder of the store that is one object's own, by the one place that knows the layout.

    ``record`` is the file in it without which the rest counts for nothing: it goes first. ``flat``:
    only what lies directly in the folder belongs to it.
    """

    place: ObjectUri
    record: str
    flat: bool = False

    @property
    def prefix(self) -> str:
        """How the keys of all that lies in the folder begin."""
        return "".join(f"{part}/" for part in self.place.parts)

    def holds(self, key: str) -> bool:
        """Tell whether a key of the bucket names something in the folder, in every reading."""
        rest = key.removeprefix(self.prefix)
        if not key.startswith(self.prefix) or any(ord(char) < 32 for char in rest):
            return False
        parts = rest.removesuffix("/").split("/") if rest else []
        return {"", ".", ".."}.isdisjoint(parts) and not (self.flat and len(parts) > 1)

    def is_named_by(self, uri: str) -> bool:
        """Tell whether a URI names something in the folder, or one that the folder lies in."""
        own, other = f"s3://{self.place.bucket}/{self.prefix}", f"{uri.rstrip('/')}/"
        if own.startswith(other):
            return True
        deeper = "/" in other[len(own) : -1]
        return other.startswith(own) and not (self.flat and deeper)


@dataclass(frozen=True)
class Target:
    """A folder to be removed: in words, and the digest of the archive in it, if it is one's."""

    what: str
    folder: StoredFolder
    sha256: str = ""


@dataclass(frozen=True)
class Removal:
    """What of one object's own is to be removed from the store, as decided at a ``time``."""

    namespace: str
    uid: str
    time: str
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Removed:
    """How a removal stands: how much is gone, what is kept by whom, and whether all else is gone.

    A folder's record is not counted. ``refused`` is a sentence where the store does not let the
    operator do it.
    """

    removal: Removal
    objects: int = 0
    size_bytes: int = 0
    used: tuple[str, ...] = ()
    refused: str = ""
    complete: bool = False


@dataclass(frozen=True)
class Reference:
    """What an object names in the store: ``user`` is the object in words.

    One that cannot be read (``unknown``) may name all there is.
    """

    user: str
    uris: frozenset[str] = frozenset()
    digests: frozenset[str] = frozenset()
    unknown: bool = False

    def names(self, target: Target) -> bool:
        """Tell whether the object may need what is to be removed."""
        same = bool(target.sha256) and target.sha256 in self.digests
        return self.unknown or same or any(target.folder.is_named_by(uri) for uri in self.uris)


@dataclass(frozen=True)
class Plan:
    """What should be done now, in this order: apply, patch, delete, status, events.

    ``status`` is the whole desired status of the reconciled object, or None to leave it alone. The
    carrier compares it with the observed one and writes at most once. ``requeue_after`` is in
    seconds; None waits for the next event. ``ends_in`` is when, in seconds, a deadline passes that
    is looked at even while the plan cannot be carried out. ``removal`` is begun last, and goes on
    beside the loop.
    """

    apply: tuple[Manifest, ...] = ()
    patch: tuple[Patch, ...] = ()
    delete: tuple[Delete, ...] = ()
    status: Manifest | None = None
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None
    ends_in: float | None = None
    removal: Removal | None = None


@dataclass(frozen=True)
class Children:
    """The observed children of one object, as the operator's watches know them.

    ``gone`` are pods of its children that were deleted meanwhile, as they were last seen.
    """

    items: Mapping[ObjectRef, Manifest] = field(default_factory=dict)
    gone: tuple[Manifest, ...] = ()

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Manifest | None:
        """Return the child, or None where there is none."""
        return self.items.get(ObjectRef(api_version, kind, namespace, name))

    def of_kind(self, kind: str) -> tuple[Manifest, ...]:
        """Return all children of a kind, in the order of their names."""
        return self._by_kind.get(kind, ())

    @cached_property
    def _by_kind(self) -> Mapping[str, tuple[Manifest, ...]]:
        by_kind: dict[str, list[Manifest]] = {}
        for ref in sorted(self.items):
            by_kind.setdefault(ref.kind, []).append(self.items[ref])
        return {kind: tuple(manifests) for kind, manifests in by_kind.items()}
