"""How objects are kept: those at rest as compressed JSON.

What changes seldom and is read seldom takes 20 times as much room as Python's dictionaries. It is
unfolded again when somebody asks for it, in about 50 microseconds.
"""

import zlib
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

from slipway.kube.watched.identity import controller_of, uid_of, version_of
from slipway.kube.watched.room import ENTRY_BYTES, in_memory
from slipway.kube.watched.slim import has_ended, is_settled
from slipway.manifests import MODEL_DEPLOYMENT
from slipway.plan import Manifest

_AT_REST = frozenset(
    {
        *("ConfigMap", "Service", "Deployment", "NetworkPolicy"),
        *("HorizontalPodAutoscaler", "PodDisruptionBudget", "ModelDeployment"),
    }
)
"""Kinds that change seldom once they are as they should be."""
_WHEN_ENDED = frozenset({"TrainingJob", "Job"})
_LARGE_BYTES = 32 << 10
"""What is read often is kept as it is up to this size; its user may make it much larger."""
_LONGEST_UID = 64
"""A controller's UID that is longer, in characters, is none."""
_LEVEL = 3
"""Costs two thirds of level 6 and leaves 3 % more; fewer levels save nothing."""
_WORDS = (
    '"metadata":{"name":"","namespace":"","uid":"","resourceVersion":"","generation":1,'
    '"creationTimestamp":"2026-01-01T00:00:00Z","annotations":{"slipway.dev/applied-hash":"'
    '"labels":{"app.kubernetes.io/managed-by":"slipway","app.kubernetes.io/name":"slipway",'
    '"slipway.dev/training-job":"","slipway.dev/model-deployment":"","slipway.dev/component":"'
    '"slipway.dev/revision":"","slipway.dev/track":"","slipway.dev/attempt":"0"},'
    '"ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","name":"","uid":"","controller":true,'
    '"blockOwnerDeletion":true}]}{"apiVersion":"slipway.dev/v1alpha1","kind":"ModelDeployment",'
    '"spec":{"ports":[{"name":"http","port":80,"protocol":"TCP","targetPort":"resources":{"limits":'
    '{"cpu":"","memory":""},"requests":{"nvidia.com/gpu":"1"}}"source":{"configMap":{"name":""}},'
    '"entrypoint":"train.py","nodes":2,"restart":{"maxRestarts":3,"policy":"Group"},"checkpoint":'
    '"package":{"modelName":"","modelVersion":"1.0","handler":"","modelFile":"","serializedFile":"'
    '"uri":"s3://slipway/models/","sha256":"","sizeBytes":"output":{"uri":"s3://slipway/outputs/",'
    '"files":"progress":{"step":,"totalSteps":,"percent":100,"lastReportTime":"metrics":{"loss":'
    '"startTime":"2026-","completionTime":"2026-"runTime":{"usedSeconds":"phase":"Succeeded",'
    '"attempt":0,"restarts":0,"nodes":{"active":0,"desired":2,"failed":0,"ready":0,"succeeded":2},'
    '"observedGeneration":1,"status":{"conditions":[{"type":"Created","status":"True","reason":'
    '"message":"","lastTransitionTime":"2026-","observedGeneration":1},{"type":"Running","status":'
    '"False","reason":"type":"Queued","type":"Packaged","type":"Succeeded","type":"Complete"'
)
"""Text that objects have in common, which their compressed forms then refer to."""
_DICTIONARY = _WORDS.encode()


def is_at_rest(obj: Manifest) -> bool:
    """Tell whether an object is likely to stay as it is, and seldom read."""
    if obj["kind"] == "Pod":
        return MODEL_DEPLOYMENT in (obj["metadata"].get("labels") or {})
    return obj["kind"] in _AT_REST or (obj["kind"] in _WHEN_ENDED and has_ended(obj))


def fold(obj: Manifest) -> tuple[Manifest | bytes, int, int]:
    """Return an object as it is kept, and about how many bytes of memory that takes.

    The third is what it takes more while it is unfolded.
    """
    text = to_json(obj)
    if is_at_rest(obj) or len(text) > _LARGE_BYTES:
        packed = _packed(text)
        return packed, ENTRY_BYTES + len(packed) + _indexed(obj), in_memory(text)
    return obj, ENTRY_BYTES + in_memory(text), 0


def _indexed(obj: Manifest) -> int:
    """Return about how many bytes the cache's indexes keep of an object beside it."""
    parts: dict[str, Any] = {
        "TrainingJob": obj["metadata"].get("labels"),
        "ModelDeployment": ((obj.get("spec") or {}).get("model") or {}).get("trainingJobSelector"),
    }
    part = parts.get(obj["kind"])
    return in_memory(to_json(part)) if part else 0


def _packed(text: bytes) -> bytes:
    """Return compressed JSON, which `unpack` reads."""
    packer = zlib.compressobj(_LEVEL, zdict=_DICTIONARY)
    return packer.compress(text) + packer.flush()


def unpack(packed: bytes) -> Manifest:
    """Return the object whose JSON was compressed."""
    unpacker = zlib.decompressobj(zdict=_DICTIONARY)
    found: Any = from_json(unpacker.decompress(packed) + unpacker.flush(), cache_strings="all")
    manifest: Manifest = found
    return manifest


@dataclass(slots=True)
class Entry:
    """One known object, and of it what is asked for most; ``kept`` is the object, or packed.

    ``weight`` is about how many bytes it takes, ``unfolds`` how many more while somebody reads it.
    Of an object without room an outline is kept, and ``missing`` is what the whole would weigh; 0
    else.
    """

    uid: str
    version: int
    controller: str
    ended: bool
    settled: bool
    kept: Manifest | bytes
    weight: int
    unfolds: int
    missing: int = 0

    @classmethod
    def of(cls, obj: Manifest) -> "Entry":
        """Return the entry of an object that is slim already."""
        kept, weight, unfolds = fold(obj)
        controller = str(controller_of(obj).get("uid", ""))[:_LONGEST_UID]
        ended, settled = has_ended(obj), is_settled(obj)
        return cls(uid_of(obj), version_of(obj), controller, ended, settled, kept, weight, unfolds)

    def keep(self, obj: Manifest, missing: int = 0) -> None:
        """Keep something else of the object, which is packed."""
        text = to_json(obj)
        self.kept, self.missing = _packed(text), missing
        self.weight, self.unfolds = ENTRY_BYTES + len(self.kept), in_memory(text)

    @property
    def obj(self) -> Manifest:
        """The object. It must not be changed."""
        return unpack(self.kept) if isinstance(self.kept, bytes) else self.kept
