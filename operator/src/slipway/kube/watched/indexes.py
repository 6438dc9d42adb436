"""What would else be found by going through all objects of a namespace at each event."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from slipway.api.fields.selector import LabelSelector
from slipway.kube.resources import MODEL_DEPLOYMENTS, TRAINING_JOBS
from slipway.kube.watched.identity import uid_of
from slipway.observed import condition
from slipway.plan import ObjectRef
from slipway.serving.reasons import FOLLOWING, FOLLOWS_RELEASE, WAITING_FOR_TURN
from slipway.training.reasons import CREATED

Labels = Mapping[str, str]
_Packaged = tuple[str, str, ObjectRef, Labels]
"""When a TrainingJob was complete (RFC 3339 in UTC, which sorts as text), its UID, its labels."""
_Place = tuple[str, bool]
"""A namespace, and whether the packages were rejected."""


def has_package(job: Mapping[str, Any]) -> bool:
    """Tell whether a TrainingJob has succeeded and has a package."""
    status = job.get("status") or {}
    return status.get("phase") == "Succeeded" and bool(status.get("package"))


def was_rejected(job: Mapping[str, Any]) -> bool:
    """Tell whether a TrainingJob has failed and its last package missed a gate."""
    status = job.get("status") or {}
    return status.get("phase") == "Failed" and bool(status.get("rejectedPackage"))


class Packages:
    """The TrainingJobs that have a package, or one that was rejected, as they were complete."""

    def __init__(self) -> None:
        self._known: dict[ObjectRef, tuple[_Place, _Packaged]] = {}
        self._by_age: dict[_Place, list[_Packaged]] = {}

    def add(self, ref: ObjectRef, obj: Mapping[str, Any]) -> None:
        """Take in a version of an object."""
        if ref.kind != TRAINING_JOBS.kind or not (has_package(obj) or was_rejected(obj)):
            return
        meta = obj["metadata"]
        age = str(obj["status"].get("completionTime") or meta.get("creationTimestamp") or "")
        found = (age, uid_of(obj), ref, meta.get("labels") or {})
        place = (ref.namespace, was_rejected(obj))
        self._known[ref] = (place, found)
        insort(self._by_age.setdefault(place, []), found, key=_age)

    def remove(self, ref: ObjectRef) -> None:
        """Forget an object."""
        if ref in self._known:
            place, known = self._known.pop(ref)
            jobs = self._by_age[place]
            del jobs[bisect_left(jobs, _age(known), key=_age)]
            if not jobs:
                del self._by_age[place]

    def newest(
        self, namespace: str, holds: Callable[[Labels], bool], *, rejected: bool = False
    ) -> Iterator[ObjectRef]:
        """Yield a namespace's jobs whose labels hold, the newest package first."""
        for _, _, ref, labels in reversed(self._by_age.get((namespace, rejected), [])):
            if holds(labels):
                yield ref


def _age(found: _Packaged) -> tuple[str, str]:
    return found[:2]


class Servers:
    """Who uses a TrainingJob's model: ModelDeployments, and TrainingJobs that wait for it."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, str], dict[ObjectRef, None]] = {}
        self._names: dict[ObjectRef, tuple[tuple[str, str], ...]] = {}
        self._selectors: dict[str, dict[ObjectRef, LabelSelector]] = {}

    def add(self, ref: ObjectRef, obj: Mapping[str, Any]) -> None:
        """Take in a version of an object."""
        if ref.kind == TRAINING_JOBS.kind:
            self._name(ref, _waits_for(obj))
        if ref.kind != MODEL_DEPLOYMENTS.kind:
            return
        model = (obj.get("spec") or {}).get("model") or {}
        if "trainingJobSelector" in model:
            self._select(ref, model["trainingJobSelector"])
        elif name := (model.get("trainingJob") or {}).get("name"):
            self._name(ref, (name,))

    def _name(self, ref: ObjectRef, names: Iterable[str]) -> None:
        places = tuple((ref.namespace, str(name)) for name in names)
        if places:
            self._names[ref] = places
        for place in places:
            self._by_name.setdefault(place, {})[ref] = None

    def _select(self, ref: ObjectRef, selector: Any) -> None:
        try:
            found = LabelSelector.model_validate(selector)
        except ValueError:
            return
        self._selectors.setdefault(ref.namespace, {})[ref] = found

    def remove(self, ref: ObjectRef) -> None:
        """Forget an object."""
        for place in set(self._names.pop(ref, ())):
            del self._by_name[place][ref]
            if not self._by_name[place]:
                del self._by_name[place]
        selectors = self._selectors.get(ref.namespace, {})
        if selectors.pop(ref, None) and not selectors:
            del self._selectors[ref.namespace]

    def of(self, job: Mapping[str, Any]) -> Iterator[ObjectRef]:
        """Yield those that name a job, and those that select it, once its package is judged."""
        meta = job["metadata"]
        yield from tuple(self._by_name.get((meta["namespace"], meta["name"]), ()))
        if has_package(job) or was_rejected(job):
            labels = meta.get("labels") or {}
            for ref, selector in tuple(self._selectors.get(meta["namespace"], {}).items()):
                if selector.holds(labels):
                    yield ref


def _waits_for(job: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the TrainingJobs whose archives one that has not started brings."""
    if condition(job.get("status") or {}, CREATED).get("status") == "True":
        return
    for one in (job.get("spec") or {}).get("inputs") or ():
        if name := (one.get("trainingJob") or {}).get("name"):
            yield name


class Turns:
    """The ModelDeployments that follow a new release of the operator, and those that wait for it.

    It is what their conditions say, so that it is known after a restart as well.
    """

    def __init__(self) -> None:
        self._waiting: list[ObjectRef] = []
        self._following: set[ObjectRef] = set()

    def add(self, ref: ObjectRef, obj: Mapping[str, Any]) -> None:
        """Take in a version of an object."""
        if ref.kind != MODEL_DEPLOYMENTS.kind:
            return
        reason = condition(obj.get("status") or {}, FOLLOWS_RELEASE).get("reason")
        if reason == WAITING_FOR_TURN:
            insort(self._waiting, ref)
        elif reason == FOLLOWING:
            self._following.add(ref)

    def remove(self, ref: ObjectRef) -> None:
        """Forget an object."""
        self._following.discard(ref)
        place = bisect_left(self._waiting, ref)
        if self._waiting[place : place + 1] == [ref]:
            del self._waiting[place]

    def before(self, ref: ObjectRef) -> tuple[int, int]:
        """Return how many others follow now, and how many wait before this one."""
        return len(self._following - {ref}), bisect_left(self._waiting, ref)

    def next(self, most: int) -> list[ObjectRef]:
        """Return those whose turn it is where ``most`` may follow at a time."""
        return self._waiting[: max(0, most - len(self._following))]
