"""The Indexed Job that trains: one pod a node, made once and never applied again."""

from typing import Any

from slipway.api import TrainingJob
from slipway.manifests import child
from slipway.plan import Manifest
from slipway.settings import Settings
from slipway.training import names
from slipway.training.pod import template


def pod_failures(*first: dict[str, Any]) -> dict[str, Any]:
    """Return a podFailurePolicy: the given rules, then that disruptions do not count as tries.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
    """
    disrupted = {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    return {"rules": [*first, disrupted]}


def backoff_limit(job: TrainingJob) -> int:
    """Return the Job's backoffLimit, in failed pods, for the user's, in failed tries of the group.

    When one pod fails, its peers lose their partner and fail as well: each failed try of the group
    may fail every pod once.
    """
    return job.spec.backoff_limit * job.spec.nodes


def training_job(job: TrainingJob, settings: Settings) -> Manifest:
    """Return the Indexed Job. Its template cannot change later; see `slipway.training.changes`.

    A replacement waits until the pod before it is gone (podReplacementPolicy), so that an index'
    DNS name never means two pods. Raises OverlayError for a spec.podTemplate that breaks the pod.
    """
    spec = {
        "completionMode": "Indexed",
        "completions": job.spec.nodes,
        "parallelism": job.spec.nodes,
        "backoffLimit": backoff_limit(job),
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": pod_failures(),
        "suspend": job.spec.suspend,
        "template": template(job, settings),
    }
    if job.spec.active_deadline_seconds is not None:
        spec["activeDeadlineSeconds"] = job.spec.active_deadline_seconds
    head = child(job, "batch/v1", "Job", names.train_name(job), names.TRAINER)
    return {**head, "spec": spec}
