"""One report as a case: its smallest manifests, and what the cluster has to show of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.cluster.support import API, SMALL, Space, condition, phase
from tests.harness import Cluster, Object

NAME = "case"
"""Name of a case's TrainingJob or ModelDeployment, and of its source."""
TRAINER_IMAGE = "TRAINER_IMAGE"
"""Stands in a manifest for the image of the release that trains."""
OK = "print('trained')"
WRITES = """
import os, pathlib
output = pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"])
(output / "model.pt").write_text("weights")
"""
HANDLER = "class Handler:\n    def handle(self, data, context):\n        return data\n"
SMALL_PACKAGE = {"serializedFile": "model.pt", "handler": "handler.py"}
RESOURCES = {"requests": {"cpu": SMALL, "memory": "128Mi"}}


@dataclass(frozen=True)
class Sight:
    """What the cluster shows of a case at one moment.

    ``right`` is whether that is as expected; ``over`` whether nothing else will come.
    """

    text: str
    right: bool
    over: bool = False


Look = Callable[[Space], Sight]


@dataclass(frozen=True)
class Stage:
    """Where a case is played: its own namespace in the cluster."""

    cluster: Cluster
    space: Space


@dataclass(frozen=True)
class Case:
    """A report, what to apply for it, and how to tell that the outcome is right.

    ``before`` prepares what the objects need, ``act`` does what a user does once they are there.
    Where the API server has to refuse the objects, ``refused`` has the words of its sentence.
    ``seconds`` is a generous deadline for the outcome.
    """

    name: str
    expected: str
    objects: tuple[Object, ...] = ()
    look: Look | None = None
    act: Callable[[Stage], None] = lambda stage: None
    before: Callable[[Stage], None] = lambda stage: None
    refused: tuple[str, ...] = ()
    seconds: float = 240.0


@dataclass(frozen=True)
class Group:
    """Cases that are played one after the other in one namespace, once its objects are as needed.

    Each case has an ``act`` and a ``look`` and no objects. ``ready`` tells when they can begin.
    """

    name: str
    objects: tuple[Object, ...]
    ready: Look
    cases: tuple[Case, ...]
    before: Callable[[Stage], None] = lambda stage: None
    seconds: float = 420.0


@dataclass(frozen=True)
class Tested:
    """A report that tests play which are there anyway: their names, as pytest takes them."""

    name: str
    expected: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class NotPlayed:
    """A report that cannot be played on the local cluster, and why, or where else it is."""

    name: str
    why: str


def training(files: dict[str, str] | None = None, **spec: Any) -> tuple[Object, ...]:
    """Return a plain TrainingJob of a ConfigMap's files, and that ConfigMap.

    It runs ``train.py`` unless the spec names another program or None.
    """
    whole: dict[str, Any] = {
        "framework": "plain",
        "source": {"configMap": {"name": NAME}},
        "entrypoint": "train.py",
        "resources": RESOURCES,
        **spec,
    }
    known = {key: value for key, value in whole.items() if value is not None}
    job = {"apiVersion": API, "kind": "TrainingJob", "metadata": {"name": NAME}, "spec": known}
    return (job,) if files is None else (config_map(files), job)


def config_map(files: dict[str, str]) -> Object:
    """Return the ConfigMap that a case's job takes its source from."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": files}


def plain_object(kind: str, **rest: Any) -> Object:
    """Return an object of Kubernetes' core group with the case's name."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": NAME}, **rest}


def ends(
    as_phase: str, reason: str, *words: str, holds: Callable[[Object], Any] = lambda job: True
) -> Look:
    """Look whether a job ends in a phase, with a reason and words, and something holds of it."""

    def look(space: Space) -> Sight:
        job = space.job(NAME)
        told = condition(job, as_phase)
        right = phase(job) == as_phase and told.get("reason") == reason
        right = right and all(word in told["message"] for word in words) and bool(holds(job))
        return Sight(brief(job), right, phase(job) in ("Succeeded", "Failed"))

    return look


def succeeds(holds: Callable[[Object], Any] = lambda job: True) -> Look:
    """Look whether a job succeeds, and something holds of it."""
    return ends("Succeeded", "Completed", holds=holds)


def tells(
    type_: str, reason: str, *words: str, holds: Callable[[Object], Any] = lambda job: True
) -> Look:
    """Look whether a job's condition has a reason and words, with its reason in the columns."""

    def look(space: Space) -> Sight:
        job = space.job(NAME)
        told = condition(job, type_)
        right = told.get("reason") == reason and all(word in told["message"] for word in words)
        right = right and bool(holds(job))
        return Sight(brief(job, type_), right, phase(job) in ("Succeeded", "Failed"))

    return look


def brief(job: Object, type_: str = "") -> str:
    """Return in a line where a job stands: phase, reason, counts, and what its condition says."""
    status = job.get("status") or {}
    told = condition(job, type_ or phase(job)) or _newest(status)
    counts = {key: status.get(key) for key in ("attempt", "restarts") if status.get(key)}
    files = (status.get("output") or {}).get("files")
    more = [f"{key} {value}" for key, value in counts.items()]
    more += [f"files {files}"] if files is not None else []
    head = " ".join([phase(job) or "no phase", str(status.get("reason", "")), *more])
    return f"{head}: {told.get('message', '')}"


def _newest(status: Object) -> Object:
    found = status.get("conditions") or [{}]
    last: Object = max(found, key=lambda one: one.get("lastTransitionTime", ""))
    return last


def output_files(count: int) -> Callable[[Object], bool]:
    """Tell whether a job's stored output has so many files."""
    return lambda job: (job["status"].get("output") or {}).get("files") == count


def counted(attempt: int, restarts: int) -> Callable[[Object], bool]:
    """Tell whether a job was started anew so often, and how many of those counted."""

    def holds(job: Object) -> bool:
        status = job["status"]
        return (status.get("attempt", 0), status.get("restarts", 0)) == (attempt, restarts)

    return holds
