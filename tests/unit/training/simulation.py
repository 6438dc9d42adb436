"""A tiny cluster in memory: what a TrainingJob's plans meet, with a simulated Job controller.

It knows what of Kubernetes' Job controller matters to the planner: pods are made, replaced within
the back-off limit, stopped by suspension and deadline, and counted. Pods do what a test tells them.
"""

import copy
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from slipway.api import TrainingJob, timestamp
from slipway.api.training.status import Progress
from slipway.plan import Children, Delete, Manifest, ObjectRef, Plan, Reference, Removed, StoreState
from slipway.settings import Settings, StoreSettings
from slipway.training.children.gates import Served
from slipway.training.children.names import INDEX
from slipway.training.planner import plan
from slipway.training.snapshot import Silence, TrainingSnapshot
from tests.unit.training import job_controller

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
SETTINGS = Settings(
    trainer_image="registry.example/slipway-trainer:0.1.0",
    store=StoreSettings(access_key_id="key", secret_access_key="secret"),
)
SHA = "ab" * 32

KEYS = frozenset({"train.py", "net.py", "handler.py", "better.py"})
"""Of the source's ConfigMap."""
PACKAGE = {"serializedFile": "model.pt", "modelFile": "net.py", "handler": "handler.py"}


def spec(**fields: Any) -> dict[str, Any]:
    """Return the smallest spec, with the given fields on top; None takes one away."""
    base = {"source": {"configMap": {"name": "code"}}, "entrypoint": "train.py"}
    return {key: value for key, value in {**base, **fields}.items() if value is not None}


def training_job(spec: dict[str, Any], status: dict[str, Any] | None = None) -> TrainingJob:
    """Return a TrainingJob ``default/quick``."""
    return TrainingJob.model_validate(
        {
            "apiVersion": "slipway.dev/v1alpha1",
            "kind": "TrainingJob",
            "metadata": {"name": "quick", "namespace": "default", "uid": "uid-1", "generation": 1},
            "spec": spec,
            "status": status or {},
        }
    )


def packaged() -> dict[str, Any]:
    """Return the packager's termination message."""
    return {
        "reason": "Packaged",
        "package": {
            "uri": "s3://elsewhere/not-to-be-believed.mar",
            "sha256": SHA,
            "sizeBytes": 1234,
            "modelName": "quick",
            "modelVersion": "1.0",
            "lineageUri": "s3://elsewhere/not-to-be-believed.json",
        },
    }


def trained(**progress: Any) -> dict[str, Any]:
    """Return index 0's termination message."""
    output = {"uri": "s3://elsewhere/not-to-be-believed", "files": 2, "sizeBytes": 2048}
    return {"reason": "Completed", "exitCode": 0, "output": output, "progress": progress or None}


@dataclass
class Cluster:
    """The object, its children, and how many writes the planner's plans have cost."""

    spec: dict[str, Any]
    status: dict[str, Any] = field(default_factory=dict)
    objects: dict[ObjectRef, Manifest] = field(default_factory=dict)
    source_keys: frozenset[str] | None = frozenset(
        {"train.py", "net.py", "handler.py", "better.py"}
    )
    source_gone: bool = False
    store: StoreState = field(default_factory=StoreState)
    progress: Progress | None = None
    progress_age: float = 0.0
    silence: Silence | None = None
    now: datetime = START
    generation: int = 1
    writes: list[str] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    events: list[tuple[str, str, str]] = field(default_factory=list)
    deleted: bool = False
    serial: int = 0
    secret: Manifest | None = None
    lingering: bool = False
    gone: list[Manifest] = field(default_factory=list)
    gang_served: bool = True
    pod_security: str | None = None
    refusal: str = ""
    missing_key: str = ""
    created: str = ""
    references: tuple[Reference, ...] | None = ()
    removed: Removed | None = None
    other_jobs: dict[str, TrainingJob | None] = field(default_factory=dict)
    served: Served | None = None

    # what the operator does

    def snapshot(self) -> TrainingSnapshot:
        """Return what the operator observes."""
        job = training_job(self.spec, self.status)
        jobs = (self.job(), self.job("package"), self.job("keys"))
        known = {"generation": self.generation, "creation_timestamp": self.created}
        meta = job.metadata.model_copy(update=known)
        return TrainingSnapshot(
            job=job.model_copy(update={"metadata": meta}),
            children=Children(copy.deepcopy(self.objects), tuple(copy.deepcopy(self.gone))),
            source_keys=self.source_keys,
            source_gone=self.source_gone,
            store=self.store,
            gang_served=self.gang_served,
            pod_security=self.pod_security,
            other_jobs=self.other_jobs,
            refused={job["metadata"]["uid"]: self.refusal for job in jobs if job and self.refusal},
            progress=self.progress,
            progress_age=self.progress_age,
            silence=self.silence,
            references=self.references,
            removed=self.removed,
            served=self.served,
        )

    def plan(self) -> Plan:
        """Return the plan for what is there now."""
        return plan(self.snapshot(), SETTINGS, self.now)

    def reconcile(self) -> Plan:
        """Plan, carry the plan out, and return it."""
        made = self.plan()
        for manifest in made.apply:
            self._apply(manifest)
        for patch in made.patch:
            self._write("patch", patch.ref.kind)
            _merge(self.objects[patch.ref], patch.body)
        for gone in made.delete:
            self._write("delete", gone.ref.kind)
            self._delete_if(gone)
        if made.status is not None and made.status != self.status:
            self._write("status", "TrainingJob")
            self.status = copy.deepcopy(made.status)
            self.statuses.append(self.status)
        self.events += [(event.type, event.reason, event.message) for event in made.events]
        return made

    def settle(self) -> Plan:
        """Let Job controller and operator act in turn until neither has anything to do."""
        for _ in range(20):
            before = self._state()
            self.control()
            made = self.reconcile()
            if self._state() == before:
                return made
        raise AssertionError("the plans do not come to rest")

    def _state(self) -> str:
        return json.dumps(
            [self.status, [repr(one) for one in self.objects.items()]], sort_keys=True
        )

    def _write(self, verb: str, kind: str) -> None:
        self.writes.append(f"{verb} {kind}")

    def _apply(self, manifest: Manifest) -> None:
        if manifest["kind"] == "Secret":
            if self.secret != manifest:
                self._write("apply", "Secret")
                self.secret = manifest
            return
        ref = ObjectRef.of(manifest)
        live = self.objects.get(ref)
        if live is not None:
            assert ref.kind != "Job", "a Job's template cannot change: it is never applied again"
            if all(live[key] == manifest[key] for key in manifest if key != "metadata"):
                return
        self._write("apply", ref.kind)
        made = copy.deepcopy(manifest)
        made["metadata"] |= {"uid": self.new_uid(), "creationTimestamp": timestamp(self.now)}
        self.objects[ref] = made

    def new_uid(self) -> str:
        """Return a UID that no object had before."""
        self.serial += 1
        return f"uid-child-{self.serial}"

    def _delete_if(self, gone: Delete) -> None:
        ref = gone.ref
        if ref.kind == "TrainingJob":
            self.deleted = True
            self.objects.clear()
        elif ref in self.objects and self.objects[ref]["metadata"]["uid"] == gone.uid:
            if ref.kind == "Pod":
                assert gone.grace_seconds == 0
                self.forget(self.objects[ref])
            elif gone.foreground and self.lingering:
                self.objects[ref]["metadata"].setdefault("deletionTimestamp", timestamp(self.now))
            else:
                self.delete(ref)

    # what users and nodes do

    def change(self, **fields: Any) -> None:
        """Change the spec as a user does."""
        self.spec = spec(**{**self.spec, **fields})
        self.generation += 1

    def delete(self, ref: ObjectRef) -> None:
        """Delete a child and what it owns."""
        uid = self.objects.pop(ref)["metadata"]["uid"]
        owned = [r for r, o in self.objects.items() if job_controller.owner(o) == uid]
        for one in owned:
            del self.objects[one]

    def take(self, pod: Manifest, grace: int = 30) -> None:
        """Delete one pod as a user does: it has time to end, and its object lingers."""
        meta = pod["metadata"]
        meta.setdefault("deletionTimestamp", timestamp(self.now + timedelta(seconds=grace)))
        meta.setdefault("deletionGracePeriodSeconds", grace)

    def disrupt(self, pod: Manifest, reason: str = "EvictionByEvictionAPI") -> None:
        """Take one pod away as the cluster does."""
        moment = timestamp(self.now)
        found = {"type": "DisruptionTarget", "status": "True", "reason": reason}
        pod["status"]["conditions"] = [{**found, "message": "why", "lastTransitionTime": moment}]
        self.take(pod)

    def forget(self, pod: Manifest) -> None:
        """Let a deleted pod's object go."""
        del self.objects[ObjectRef.of(pod)]
        self.gone.append(pod)

    def leave(self, lost: int | None = None) -> None:
        """Let all deleted pods end, stopped by SIGTERM, but for one index, whose node is lost."""
        for pod in [one for one in self.objects.values() if one["kind"] == "Pod"]:
            if job_controller.index_of(pod) == lost:
                continue
            if pod["metadata"].get("deletionTimestamp") and not job_controller.ended(pod):
                kept = pod["status"].get("conditions")
                self.finish(pod, 143, {"reason": "Stopped", "exitCode": 143})
                pod["status"] |= {"conditions": kept} if kept else {}

    def job(self, role: str = "train") -> Manifest | None:
        """Return one of the Jobs."""
        return self.objects.get(ObjectRef("batch/v1", "Job", "default", f"quick-{role}"))

    def pods(self, role: str = "train") -> list[Manifest]:
        """Return a Job's pods that have not ended, in the order of their indexes."""
        live = [pod for pod in self.all_pods(role) if not job_controller.ended(pod)]
        return sorted(live, key=lambda pod: str(pod["metadata"]["labels"].get(INDEX)))

    def all_pods(self, role: str = "train") -> list[Manifest]:
        """Return a Job's pods, ended ones included."""
        job = self.job(role)
        uid = job["metadata"]["uid"] if job else None
        return [
            o
            for o in self.objects.values()
            if o["kind"] == "Pod" and job_controller.owner(o) == uid
        ]

    def start(self, role: str = "train") -> None:
        """Let all pods of a Job run, as far as they have not ended."""
        for pod in self.pods(role):
            pod["status"] = running(role, self.now)

    def finish(
        self,
        pod: Manifest,
        code: int = 0,
        message: dict[str, Any] | str = "",
        **state: Any,
    ) -> None:
        """Let one pod's main container end with an exit code and a termination message."""
        text = message if isinstance(message, str) else json.dumps(message)
        statuses = pod["status"].get("containerStatuses") or [{"state": {}}]
        terminated = {
            **(statuses[0]["state"].get("running") or {}),
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "finishedAt": timestamp(self.now),
            "message": text,
            **state,
        }
        main = pod["spec"]["containers"][0]["name"]
        pod["status"] = {
            "phase": "Succeeded" if code == 0 else "Failed",
            "containerStatuses": [{"name": main, "state": {"terminated": terminated}}],
        }

    def try_keys(self, pod: Manifest) -> None:
        """Let the kubelet start and end the pod that needs keys, unless it misses one."""
        if self.missing_key:
            pod["status"] = waiting("keys", "CreateContainerConfigError", self.missing_key)
        else:
            self.finish(pod)

    def finish_all(self, role: str = "train", message: dict[str, Any] | str = "") -> None:
        """Let all pods of a Job end well."""
        for pod in self.pods(role):
            self.finish(pod, 0, message)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def control(self) -> None:
        """Let the Job controller and the garbage collector bring every Job one round further."""
        job_controller.control(self)


def condition(cluster: Cluster, type_: str) -> dict[str, str]:
    """Return one condition of the status."""
    found: list[dict[str, str]] = cluster.status["conditions"]
    return next(one for one in found if one["type"] == type_)


def underway(*, lingering: bool = False, **fields: Any) -> Cluster:
    """Return a cluster with a job whose pods run."""
    cluster = Cluster(spec(**fields), lingering=lingering)
    cluster.settle()
    cluster.start()
    cluster.settle()
    return cluster


def running(role: str, since: datetime = START) -> dict[str, Any]:
    """Return the status of a pod that runs."""
    name = "trainer" if role == "train" else "packager"
    state = {"running": {"startedAt": timestamp(since)}}
    return {"phase": "Running", "containerStatuses": [{"name": name, "state": state}]}


def waiting(container: str, reason: str, message: str = "", **fields: Any) -> dict[str, Any]:
    """Return the status of a pod one of whose containers waits."""
    state = {"waiting": {"reason": reason, "message": message}}
    status = {"name": container, "image": "registry.example/train:1", "state": state, **fields}
    return {"phase": "Pending", "containerStatuses": [status]}


def _merge(target: dict[str, Any], patch: Any) -> None:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = value
