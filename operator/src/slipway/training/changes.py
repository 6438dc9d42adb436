"""What may change on a live Job: suspension, deadline and back-off; all else is fixed at birth."""

from typing import Any

from slipway.api import TrainingJob
from slipway.plan import Patch
from slipway.training.job import backoff_limit
from slipway.training.view import JobView


def training_changes(job: TrainingJob, live: JobView) -> tuple[Patch, ...]:
    """Return the patch that brings the training Job to the spec; none where it is there."""
    wanted = {
        "suspend": job.spec.suspend,
        "backoffLimit": backoff_limit(job),
        "activeDeadlineSeconds": job.spec.active_deadline_seconds,
    }
    return _patch(live, wanted)


def packaging_changes(job: TrainingJob, live: JobView) -> tuple[Patch, ...]:
    """Return the patch that suspends or resumes the packaging Job; none where it is so."""
    return _patch(live, {"suspend": job.spec.suspend})


def _patch(live: JobView, wanted: dict[str, Any]) -> tuple[Patch, ...]:
    if live.finished or live.deleting:
        return ()
    defaults = {"suspend": False}
    changed = {
        field: value
        for field, value in wanted.items()
        if live.spec.get(field, defaults.get(field)) != value
    }
    return (Patch(live.ref, {"spec": changed}),) if changed else ()
