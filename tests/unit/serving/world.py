"""A small stand-in for the cluster round one ModelDeployment: plans are carried out at once, and
Kubernetes' part (the Deployment's rollout, the pods' states) is played by the tests."""

import json
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from slipway.api import Condition, ModelDeployment, TrainingJob, find
from slipway.manifests import REVISION
from slipway.plan import Children, Event, Manifest, ObjectRef, Plan
from slipway.serving.analysis.traffic import Traffic
from slipway.serving.children.names import TRACK
from slipway.serving.observed.deaths import Death
from slipway.serving.planner import plan
from slipway.serving.snapshot import ServingSnapshot
from slipway.settings import Settings

SETTINGS = Settings(_env_file=None)
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHA = "ab" * 32
URI_MODEL = {"uri": "s3://slipway/shared/iris.mar", "sha256": SHA}
JOB_MODEL = {"trainingJob": {"name": "train"}}
PACKAGE = {"serializedFile": "model.pt", "handler": "handler.py"}


def training_job(phase: str = "Running", uid: str = "job-1", **changes: Any) -> dict[str, Any]:
    """Return a TrainingJob; with the phase Succeeded it has a package."""
    status: dict[str, Any] = {"phase": phase}
    if phase == "Succeeded":
        status["package"] = {
            "uri": f"s3://slipway/models/demo/train/{uid}/iris-1.0.mar",
            "sha256": SHA,
            "sizeBytes": 10,
            "modelName": "iris",
            "modelVersion": "1.0",
        }
    spec = {
        "source": {"configMap": {"name": "code"}},
        "entrypoint": "train.py",
        "package": dict(PACKAGE),
    }
    return {
        "metadata": {"name": "train", "namespace": "demo", "uid": uid},
        "spec": {**spec, **changes},
        "status": status,
    }


class World:
    """One ModelDeployment ``demo/web``, its children and its TrainingJob.

    Planners get copies, as long as ``copied``, so that none can change what it looks at unseen.
    """

    copied = True

    def __init__(self, model: dict[str, Any] = URI_MODEL, **spec: Any) -> None:
        self.spec: dict[str, Any] = {"model": model, **spec}
        self.status: dict[str, Any] = {}
        self.children: dict[ObjectRef, Manifest] = {}
        self.job: dict[str, Any] | None = None
        self.now = START
        self.events: list[Event] = []
        self.status_writes = 0
        self.generation = 1
        self.selected_jobs: tuple[TrainingJob, ...] = ()
        self.rejected_job: TrainingJob | None = None
        self.annotations: dict[str, str] = {}
        self.traffic: Traffic | None = None
        self.pod_security: str | None = None
        self.verification: str | None = None
        self.settings = SETTINGS
        self.deaths: dict[str, Death] = {}

    def change(self, **spec: Any) -> None:
        """Change the spec, as a user does."""
        self.spec = {**self.spec, **spec}
        self.generation += 1

    def snapshot(self) -> ServingSnapshot:
        deployment = {
            "metadata": {
                "name": "web",
                "namespace": "demo",
                "uid": "web-uid",
                "generation": self.generation,
                "annotations": self.annotations,
            },
            "spec": self.spec,
            "status": self.status,
        }
        return ServingSnapshot(
            deployment=ModelDeployment.model_validate(deployment),
            children=Children(deepcopy(self.children) if self.copied else self.children),
            training_job=TrainingJob.model_validate(self.job) if self.job else None,
            selected_jobs=self.selected_jobs,
            rejected_job=self.rejected_job,
            traffic=self.traffic,
            pod_security=self.pod_security,
            verification=self.verification,
            deaths=self.deaths,
        )

    def plan(self) -> Plan:
        """Return the plan for things as they are, without carrying it out."""
        return plan(self.snapshot(), self.settings, self.now)

    def reconcile(self) -> Plan:
        """Plan and carry it out."""
        made = self.plan()
        for manifest in made.apply:
            self._apply(manifest)
        for patch in made.patch:
            self._patch(self.children[patch.ref], patch.body)
        for delete in made.delete:
            assert self.children[delete.ref]["metadata"]["uid"] == delete.uid
            del self.children[delete.ref]
        if made.status is not None and made.status != self.status:
            self.status, self.status_writes = made.status, self.status_writes + 1
        self.events += made.events
        self.now += timedelta(seconds=1)
        return made

    def _patch(self, live: Manifest, body: Mapping[str, Any]) -> None:
        if live["kind"] == "Pod":
            notes = live["metadata"].setdefault("annotations", {})
            notes.update(body["metadata"]["annotations"])
            return
        live["spec"]["replicas"] = body["spec"]["replicas"]
        live["metadata"]["generation"] += 1

    def _apply(self, manifest: Manifest) -> None:
        ref, wanted = ObjectRef.of(manifest), deepcopy(manifest)
        live = self.children.get(ref)
        if live is not None and live["kind"] == "ConfigMap" and live.get("immutable"):
            assert live["data"] == wanted["data"], f"{ref.name} is immutable"
        meta = wanted["metadata"]
        meta["uid"] = live["metadata"]["uid"] if live else f"uid-{len(self.children)}-{self.now}"
        born = live["metadata"]["creationTimestamp"] if live else self.now.isoformat()
        meta["creationTimestamp"] = born
        if wanted["kind"] == "Deployment":
            self._apply_deployment(wanted, live)
        if wanted["kind"] == "Service":
            wanted["spec"]["clusterIP"] = f"10.0.0.{1 + len(ref.name)}"
        if wanted["kind"] != "Secret":
            self.children[ref] = wanted

    def _apply_deployment(self, wanted: Manifest, live: Manifest | None) -> None:
        assert "replicas" not in wanted["spec"]
        if live is not None:
            assert live["spec"]["selector"] == wanted["spec"]["selector"], "selectors never change"
        wanted["spec"]["replicas"] = live["spec"]["replicas"] if live else 1
        wanted["status"] = live["status"] if live else {}
        generation = live["metadata"]["generation"] if live else 1
        changed = live is not None and live["spec"] != wanted["spec"]
        wanted["metadata"]["generation"] = generation + 1 if changed else generation

    @property
    def workload(self) -> Manifest:
        """The Deployment that serves."""
        active = self.status.get("rollout", {}).get("activeSlot", "blue")
        return self.deployment(active)

    def deployment(self, slot: str) -> Manifest:
        """Return the Deployment of a slot."""
        name = "web" if slot == "blue" else f"web-{slot}"
        return self.children[ObjectRef("apps/v1", "Deployment", "demo", name)]

    @property
    def revision(self) -> str:
        """The revision whose template the live Deployment has."""
        return str(self.workload["spec"]["template"]["metadata"]["labels"][REVISION])

    def of_kind(self, kind: str) -> list[Manifest]:
        """Return the children of a kind, by name."""
        return [self.children[ref] for ref in sorted(self.children) if ref.kind == kind]

    def pods_are(
        self, updated: int, available: int, old: int = 0, conditions: tuple[Any, ...] = ()
    ) -> None:
        """Play the Deployment controller: so many pods there are, new ones and old ones."""
        live = self.workload
        live["status"] = {
            "observedGeneration": live["metadata"]["generation"],
            "replicas": updated + old,
            "updatedReplicas": updated,
            "readyReplicas": available,
            "availableReplicas": available,
            "conditions": list(conditions),
        }

    def roll_out(self) -> None:
        """Bring the current rollout to its end."""
        self.reconcile()
        replicas = self.workload["spec"]["replicas"]
        self.pods_are(replicas, replicas)
        self.reconcile()

    def up(self, slot: str = "", ready: int | None = None) -> None:
        """Play Kubernetes for a slot, by default both: so many pods of its revision are ready."""
        for name in (slot,) if slot else ("blue", "green"):
            ref = ObjectRef("apps/v1", "Deployment", "demo", f"web{'-green' * (name == 'green')}")
            if ref in self.children:
                self._bring_up(self.children[ref], name, ready)

    def _bring_up(self, live: Manifest, slot: str, ready: int | None) -> None:
        count = live["spec"]["replicas"]
        available = count if ready is None else min(ready, count)
        live["status"] = {
            "observedGeneration": live["metadata"]["generation"],
            "replicas": count,
            "updatedReplicas": count,
            "readyReplicas": available,
            "availableReplicas": available,
        }
        labels = live["spec"]["template"]["metadata"]["labels"]
        wanted = {f"web-{slot}-{labels[REVISION]}-{number}" for number in range(count)}
        for ref, pod in list(self.children.items()):
            mine = ref.kind == "Pod" and pod["metadata"]["labels"].get(TRACK) == slot
            if mine and ref.name not in wanted:
                del self.children[ref]
        for number, name in enumerate(sorted(wanted)):
            ref = ObjectRef("v1", "Pod", "demo", name)
            meta = {"name": name, "namespace": "demo", "labels": dict(labels), "uid": name}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}}
            conditions = [{"type": "Ready", "status": str(number < available)}]
            status = {"phase": "Running", "conditions": conditions}
            self.children.setdefault(ref, pod)["status"] = status

    def run(self, *, seconds: float = 0, rounds: int = 4) -> None:
        """Let time pass and everything come up that can."""
        self.now += timedelta(seconds=seconds)
        for _ in range(rounds):
            self.reconcile()
            self.up()
        self.reconcile()

    def add_pod(self, name: str = "web-1", revision: str = "", **status: Any) -> Manifest:
        """Add a pod of a revision, by default the live one."""
        template = self.workload["spec"]["template"]
        labels = {**template["metadata"]["labels"], REVISION: revision or self.revision}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "demo", "labels": labels, "uid": f"pod-{name}"},
            "spec": deepcopy(template["spec"]),
            "status": status,
        }
        self.children[ObjectRef.of(pod)] = pod
        return pod

    def condition(self, type_: str) -> Condition:
        """Return a condition of the status."""
        deployment = self.snapshot().deployment
        found = find(deployment.status.conditions, type_)
        assert found is not None, f"there is no condition {type_}"
        return found

    def told(self) -> list[tuple[str, str]]:
        """Return type and reason of all events so far."""
        return [(event.type, event.reason) for event in self.events]


def init_status(name: str, **fields: Any) -> dict[str, Any]:
    """Return a pod's status with one init container's status in it."""
    return {"initContainerStatuses": [{"name": name, "ready": False, **fields}]}


def main_status(name: str, **fields: Any) -> dict[str, Any]:
    """Return a pod's status with one main container's status in it."""
    return {"containerStatuses": [{"name": name, "ready": False, **fields}]}


def terminated(code: int, message: str = "", reason: str = "Error") -> dict[str, Any]:
    """Return a container's state after its end."""
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """Return a container's state before its start."""
    return {"waiting": {"reason": reason, "message": message}}


def fetch_word(reason: str, message: str = "It failed.") -> str:
    """Return fetch's termination message."""
    return json.dumps({"reason": reason, "message": message})
