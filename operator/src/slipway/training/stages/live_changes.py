"""What may change on a live Job: suspension, deadline, tries, size; all else is fixed at birth."""

from typing import Any

from slipway.api import TrainingJob
from slipway.plan import Patch
from slipway.training.children import elastic
from slipway.training.children.pod_failure_policy import backoff_limit
from slipway.training.observed.jobs import JobView
from slipway.training.report import running_time
from slipway.training.snapshot import TrainingSnapshot


def training_changes(snapshot: TrainingSnapshot, live: JobView) -> tuple[Patch, ...]:
    """Return the patch that brings the training Job to the spec; none where it is there.

    A Job that is resumed gets what is left of its deadline with it, once all pods of the stretch
    before are gone, so that two generations of a group never meet. What a queue holds back is the
    queue's to release.
    """
    job = snapshot.job
    if job.spec.suspend and job.spec.queue_name is None:
        return _patch(live, {"suspend": True})
    if live.spec.get("suspend") and (job.spec.queue_name or not live.idle):
        return ()
    fields = {
        **elastic.size(job),
        "suspend": False,
        "backoffLimit": backoff_limit(job),
        "activeDeadlineSeconds": running_time.deadline(
            job, live, refused=live.uid in snapshot.refused
        ),
    }
    return _patch(live, fields)


def packaging_changes(job: TrainingJob, live: JobView) -> tuple[Patch, ...]:
    """Return the patch that suspends or resumes the packaging Job; none where it is so."""
    return _patch(live, {"suspend": job.spec.suspend})


def _patch(live: JobView, fields: dict[str, Any]) -> tuple[Patch, ...]:
    if live.finished or live.deleting:
        return ()
    defaults = {"suspend": False}
    changed = {
        field: value
        for field, value in fields.items()
        if live.spec.get(field, defaults.get(field)) != value
    }
    return (Patch(live.ref, {"spec": changed}),) if changed else ()
