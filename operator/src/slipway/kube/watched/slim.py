"""What is kept of an object: as much as a plan or a metric may read, and no more.

A shared cluster collects what has ended, and every object of it stands in the operator's memory.
So whatever a plan asks for is kept, and nothing else: not who wrote which field, not a pod's
volumes, and of a TrainingJob that is over not its pods.
"""

from collections.abc import Mapping
from typing import Any

from slipway.manifests import OWNER_LABELS, UNREADABLE
from slipway.observed import condition
from slipway.plan import Manifest

_POD_FIELDS = ("nodeName", "nodeSelector", "schedulingGates", "priorityClassName")
_CONTAINER_FIELDS = ("name", "image", "resources", "restartPolicy")
_ENDED_META = (
    *("name", "namespace", "uid", "resourceVersion", "labels", "ownerReferences"),
    *("creationTimestamp", "deletionTimestamp"),
)
_OUTLINE_META = (
    *("name", "namespace", "uid", "resourceVersion", "generation"),
    *("creationTimestamp", "deletionTimestamp"),
)
_LONGEST_NAME = 253
_HEAVY_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
_ENDS = {"TrainingJob": ("Succeeded", "Failed"), "Job": ("Complete", "Failed")}
"""The conditions that are true of what has ended, by kind."""


def has_ended(obj: Mapping[str, Any]) -> bool:
    """Tell whether a TrainingJob, a Job or a pod has ended, for good."""
    status = obj.get("status") or {}
    if obj["kind"] == "Pod":
        return status.get("phase") in ("Succeeded", "Failed")
    ends = _ENDS.get(obj["kind"], ())
    return any(condition(status, type_).get("status") == "True" for type_ in ends)


def is_settled(obj: Mapping[str, Any]) -> bool:
    """Tell whether a TrainingJob asks nothing of its Jobs: it has succeeded, and keeps them."""
    if obj["kind"] != "TrainingJob" or (obj.get("spec") or {}).get("cleanPodPolicy") == "All":
        return False
    return condition(obj.get("status") or {}, "Succeeded").get("status") == "True"


def slim(obj: Mapping[str, Any]) -> Manifest:
    """Return an object without what nobody reads and what weighs most.

    That is metadata of whoever wrote it, and most of the spec of a pod and of a Job's pods: their
    owner has that.
    """
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    notes = meta.get("annotations") or {}
    if _HEAVY_ANNOTATION in notes:
        meta["annotations"] = {k: v for k, v in notes.items() if k != _HEAVY_ANNOTATION}
    rest = {**obj, "metadata": meta}
    slimmer = _SLIMMER.get(obj["kind"])
    return {**rest, "spec": slimmer(obj.get("spec") or {})} if slimmer else rest


def skeleton(job: Manifest) -> Manifest:
    """Return what is left to know of the ended Job of an ended owner: that it ended, and how."""
    meta = {key: job["metadata"][key] for key in _ENDED_META if key in job["metadata"]}
    head = {"apiVersion": job["apiVersion"], "kind": job["kind"], "metadata": meta}
    return {**head, "status": {"conditions": _true_ends(job["status"])}}


def outline(obj: Manifest, why: str) -> Manifest:
    """Return what is left of an object for which there is no room: which it is, and whose.

    ``why`` stands in place of the spec. The status of our own kinds stays, since the operator alone
    writes it, and what tells that a Job or a pod has ended.
    """
    meta = {key: obj["metadata"][key] for key in _OUTLINE_META if key in obj["metadata"]}
    labels = obj["metadata"].get("labels") or {}
    meta["labels"] = {key: labels[key] for key in OWNER_LABELS.values() if key in labels}
    owners = obj["metadata"].get("ownerReferences") or ()
    meta["ownerReferences"] = [_named(one) for one in owners if one.get("controller")][:1]
    head = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": meta}
    return {**head, "spec": {UNREADABLE: why}, "status": _outlined_status(obj)}


def _named(reference: Mapping[str, Any]) -> Manifest:
    """Return an owner's reference, in which the API server bounds no name."""
    fields = ("apiVersion", "kind", "name", "uid")
    short = {field: str(reference.get(field, ""))[:_LONGEST_NAME] for field in fields}
    return {**short, "controller": True}


def _outlined_status(obj: Manifest) -> Manifest:
    status: Manifest = obj.get("status") or {}
    if obj["kind"] in OWNER_LABELS:
        return status
    if obj["kind"] == "Job":
        return {"conditions": _true_ends(status)}
    return {"phase": status.get("phase")} if obj["kind"] == "Pod" else {}


def _true_ends(status: Mapping[str, Any]) -> list[Manifest]:
    """Return the conditions by which a Job has ended, without their messages."""
    ends = (condition(status, type_) for type_ in _ENDS["Job"])
    return [{"type": one["type"], "status": one["status"]} for one in ends if one]


def _slim_pod(spec: Mapping[str, Any]) -> Manifest:
    """Return where a pod runs, and what its containers are and which variables they have."""
    kept = {key: spec[key] for key in _POD_FIELDS if key in spec}
    for group in ("initContainers", "containers"):
        if spec.get(group):
            kept[group] = [_slim_container(container) for container in spec[group]]
    return kept


def _slim_container(container: Mapping[str, Any]) -> Manifest:
    kept = {key: container[key] for key in _CONTAINER_FIELDS if key in container}
    if container.get("env"):
        kept["env"] = [{"name": variable["name"]} for variable in container["env"]]
    return kept


def _slim_job(spec: Mapping[str, Any]) -> Manifest:
    """Return a Job's own fields, and its containers' images and the operator's variables there."""
    pod = (spec.get("template") or {}).get("spec") or {}
    kept: Manifest = {}
    for group in ("initContainers", "containers"):
        if pod.get(group):
            kept[group] = [_told_container(container) for container in pod[group]]
    return {**spec, "template": {"spec": kept}}


def _told_container(container: Mapping[str, Any]) -> Manifest:
    env = container.get("env") or ()
    ours = [variable for variable in env if variable["name"].startswith("SLIPWAY_")]
    return {"name": container["name"], "image": container.get("image"), "env": ours}


_SLIMMER = {"Pod": _slim_pod, "Job": _slim_job}
