"""The Indexed Job that trains: one pod a node, made once and never applied again."""

from typing import Any

from slipway.api import TrainingJob
from slipway.gangs import GANGS
from slipway.manifests import child
from slipway.plan import Manifest
from slipway.settings import Settings
from slipway.training.children import elastic, names
from slipway.training.children.names import ATTEMPT
from slipway.training.children.pod.template import template
from slipway.training.children.pod_failure_policy import failure_fields

QUEUE = "kueue.x-k8s.io/queue-name"
"""The label by which Kueue knows the LocalQueue of a Job."""


def training_job(job: TrainingJob, settings: Settings) -> Manifest:
    """Return the Indexed Job.

    Its template cannot change later; see `slipway.training.stages.live_changes`. Raises
    OverlayError for a spec.podTemplate that breaks the pod.
    """
    spec: dict[str, Any] = {
        "completionMode": "Indexed",
        **elastic.size(job),
        **elastic.success(job),
        **failure_fields(job),
        "suspend": job.spec.suspend or job.spec.queue_name is not None,
        "template": _template(job, settings),
    }
    deadline = seconds_left(job)
    if deadline is not None:
        spec["activeDeadlineSeconds"] = deadline
    head = child(job, "batch/v1", "Job", names.train_name(job), names.TRAINER)
    head["metadata"]["labels"] |= {**_attempt(job), **_queue(job)}
    return {**head, "spec": spec}


def _template(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    made = template(job, settings)
    made["metadata"]["labels"] |= _attempt(job)
    gang = GANGS.get(job.spec.gang)
    return gang.bind(made, names.train_name(job)) if gang else made


def gang_object(job: TrainingJob) -> Manifest | None:
    """Return the object that has all pods placed together; None where none is asked for."""
    gang = GANGS.get(job.spec.gang)
    if gang is None:
        return None
    head = child(job, gang.api_version, gang.kind, names.train_name(job), names.TRAINER)
    return {**head, "spec": gang.spec(job.spec.fewest_nodes)}


def _attempt(job: TrainingJob) -> dict[str, str]:
    return {ATTEMPT: str(job.status.attempt)}


def _queue(job: TrainingJob) -> dict[str, str]:
    """Return Kueue's label; Kueue releases the Job, which is made suspended.

    Source: https://kueue.sigs.k8s.io/docs/tasks/run/jobs/
    """
    return {QUEUE: job.spec.queue_name} if job.spec.queue_name else {}


def seconds_left(job: TrainingJob) -> int | None:
    """Return what is left for a Job that is to run now, at least 1; None without a deadline."""
    limit = job.spec.active_deadline_seconds
    return None if limit is None else max(1, limit - job.status.run_time.used_seconds)
