"""Kubernetes' Job controller and garbage collector in memory, as far as they matter to a planner.

Pods are made, replaced within the back-off limit, ended by failures, suspension and deadline, and
counted. Where a cluster is ``lingering``, a pod that is told to go stays until it has ended.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from slipway.api import timestamp
from slipway.plan import Manifest, ObjectRef
from slipway.training.children.names import INDEX

if TYPE_CHECKING:
    from tests.unit.training.simulation import Cluster


def control(cluster: "Cluster") -> None:
    """Bring every Job one round further."""
    for role in ("keys", "train", "package"):
        job = cluster.job(role)
        if job is None:
            continue
        if job["metadata"].get("deletionTimestamp"):
            _collect(cluster, job, role)
        elif not finished(job):
            _sync(cluster, job, role)
    for pod in cluster.pods("keys"):
        cluster.try_keys(pod)


def _collect(cluster: "Cluster", job: Manifest, role: str) -> None:
    """Delete what a Job owns that is deleted in the foreground, and then the Job."""
    _stop(cluster, role)
    if not cluster.pods(role):
        cluster.delete(ObjectRef.of(job))


def _stop(cluster: "Cluster", role: str) -> None:
    for pod in cluster.pods(role):
        if cluster.lingering:
            cluster.take(pod)
        else:
            cluster.forget(pod)


def _sync(cluster: "Cluster", job: Manifest, role: str) -> None:
    spec, status = job["spec"], job.setdefault("status", {})
    pods = [pod for pod in cluster.all_pods(role) if index_of(pod) < spec["completions"]]
    good = [pod for pod in pods if pod["status"].get("phase") == "Succeeded"]
    failed = [pod for pod in pods if pod["status"].get("phase") == "Failed"]
    bad = [pod for pod in failed if action_for(pod, spec) == "Count" and tracked(pod)]
    indexes = {index_of(pod) for pod in good}
    status |= {"succeeded": len(indexes), "failed": _count(status, bad)}
    if spec.get("completionMode") == "Indexed":
        status["completedIndexes"] = ",".join(map(str, sorted(indexes)))
    ending = _condition_of(status, "FailureTarget") or _reason(cluster, spec, status, failed)
    if ending and "successPolicy" in spec and 0 in indexes:
        ending = ""
    if _succeeded(spec, indexes):
        _stop(cluster, role)
        _end(cluster, job, "Complete", "CompletionsReached")
    elif ending:
        _fail(cluster, job, role, ending)
    elif spec.get("suspend"):
        _suspend(cluster, job, role)
    else:
        _fill(cluster, job, role, indexes)
    for pod in failed:
        if pod["metadata"].get("deletionTimestamp") and ObjectRef.of(pod) in cluster.objects:
            cluster.forget(pod)


def _count(status: dict[str, Any], bad: list[Manifest]) -> int:
    """Count each failed pod once, even when it is gone later."""
    seen = set(status.get("counted", ())) | {pod["metadata"]["uid"] for pod in bad}
    status["counted"] = sorted(seen)
    return len(seen)


def _succeeded(spec: dict[str, Any], indexes: set[int]) -> bool:
    return len(indexes) >= spec["completions"] or ("successPolicy" in spec and 0 in indexes)


def _reason(
    cluster: "Cluster", spec: dict[str, Any], status: dict[str, Any], failed: list[Manifest]
) -> str:
    if any(action_for(pod, spec) == "FailJob" for pod in failed):
        return "PodFailurePolicy"
    if status["failed"] > spec["backoffLimit"]:
        return "BackoffLimitExceeded"
    deadline = spec.get("activeDeadlineSeconds")
    late = deadline and not spec.get("suspend") and _age(cluster, status) >= deadline
    return "DeadlineExceeded" if late else ""


def _fail(cluster: "Cluster", job: Manifest, role: str, reason: str) -> None:
    """Stop the pods that are left; the Job has failed when they are gone."""
    _stop(cluster, role)
    if cluster.pods(role):
        job["status"]["conditions"] = [job_condition("FailureTarget", "True", reason, cluster.now)]
    else:
        _end(cluster, job, "Failed", reason)


def _age(cluster: "Cluster", status: dict[str, Any]) -> float:
    started = status.get("startTime")
    return (cluster.now - datetime.fromisoformat(started)).total_seconds() if started else 0.0


def _fill(cluster: "Cluster", job: Manifest, role: str, done: set[int]) -> None:
    status, count = job["status"], job["spec"]["completions"]
    status.setdefault("startTime", timestamp(cluster.now))
    if any(one["type"] == "Suspended" for one in status.get("conditions", ())):
        status["conditions"] = [job_condition("Suspended", "False", "JobResumed", cluster.now)]
    for pod in cluster.pods(role):
        if index_of(pod) >= count:
            cluster.forget(pod)
    here = {index_of(pod) for pod in cluster.pods(role)}
    if cluster.refusal:
        return
    for index in sorted(set(range(count)) - done - here):
        _create_pod(cluster, job, index)


def _create_pod(cluster: "Cluster", job: Manifest, index: int) -> None:
    template, name = job["spec"]["template"], job["metadata"]["name"]
    uid = cluster.new_uid()
    meta = {
        "name": f"{name}-{index}-{uid}",
        "namespace": "default",
        "uid": uid,
        "creationTimestamp": timestamp(cluster.now + timedelta(microseconds=cluster.serial)),
        "labels": {**template["metadata"]["labels"], INDEX: str(index)},
        "ownerReferences": [{"uid": job["metadata"]["uid"], "controller": True}],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
    pod["status"] = {"phase": "Pending"}
    cluster.objects[ObjectRef.of(pod)] = pod


def _suspend(cluster: "Cluster", job: Manifest, role: str) -> None:
    for pod in cluster.pods(role):
        pod["metadata"]["untracked"] = True
    _stop(cluster, role)
    job["status"].pop("startTime", None)
    if not _condition_of(job["status"], "Suspended"):
        job["status"]["conditions"] = [
            job_condition("Suspended", "True", "JobSuspended", cluster.now)
        ]


def _end(cluster: "Cluster", job: Manifest, type_: str, reason: str) -> None:
    if type_ == "Complete":
        job["status"]["completionTime"] = timestamp(cluster.now)
    job["status"]["conditions"] = [job_condition(type_, "True", reason, cluster.now)]


def _condition_of(status: dict[str, Any], type_: str) -> str:
    found = status.get("conditions") or ()
    true = (one for one in found if one["type"] == type_ and one["status"] == "True")
    return next((str(one["reason"]) for one in true), "")


def job_condition(type_: str, status: str, reason: str, now: datetime) -> dict[str, Any]:
    """Return a condition of a Job."""
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": f"The Job says {reason}",
        "lastTransitionTime": timestamp(now),
    }


def owner(manifest: Manifest) -> str | None:
    """Return the UID of an object's first owner."""
    owners: list[dict[str, str]] = manifest["metadata"].get("ownerReferences") or [{}]
    return owners[0].get("uid")


def index_of(pod: Manifest) -> int:
    """Return a pod's index in its Job."""
    return int(pod["metadata"]["labels"].get(INDEX, 0))


def ended(pod: Manifest) -> bool:
    """Tell whether a pod has ended."""
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def tracked(pod: Manifest) -> bool:
    """Tell whether the Job controller counts a pod: not those that it deleted by a suspension."""
    return not pod["metadata"].get("untracked")


def finished(job: Manifest) -> bool:
    """Tell whether a Job has ended."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    ends = ("Complete", "Failed")
    return any(one["type"] in ends and one["status"] == "True" for one in conditions)


def action_for(pod: Manifest, spec: dict[str, Any]) -> str:
    """Return the action of the first rule of the podFailurePolicy that a failed pod matches."""
    rules = spec["podFailurePolicy"]["rules"]
    return next((rule["action"] for rule in rules if _matches(pod, rule)), "Count")


def _matches(pod: Manifest, rule: dict[str, Any]) -> bool:
    status = pod["status"]
    if "onPodConditions" in rule:
        return any(one["type"] == "DisruptionTarget" for one in status.get("conditions", ()))
    every = (*status.get("containerStatuses", ()), *status.get("initContainerStatuses", ()))
    named = rule["onExitCodes"].get("containerName")
    ended = [one["state"].get("terminated", {}) for one in every if named in (None, one["name"])]
    codes = [one.get("exitCode") for one in ended]
    inside = any(code in rule["onExitCodes"]["values"] for code in codes)
    return inside if rule["onExitCodes"]["operator"] == "In" else bool(codes) and not inside
