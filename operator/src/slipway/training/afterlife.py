"""After the end: the status stays, nothing is created again, and at last the object goes."""

from datetime import datetime, timedelta

from slipway.api import TrainingJob, find, parse_time
from slipway.plan import Delete, ObjectRef, Plan
from slipway.training import reasons, repackaging
from slipway.training.view import Look


def after_the_end(job: TrainingJob, found: Look, now: datetime) -> Plan:
    """Delete a finished TrainingJob when its ``ttlSecondsAfterFinished`` has passed.

    Until then its pods are cleaned up by ``cleanPodPolicy``. Only ``observedGeneration`` follows
    the spec, whose lifetime may still change.
    """
    known = repackaging.adopted(job)
    status = known.model_copy(update={"observed_generation": job.metadata.generation})
    due, cleaned = due_at(job), _clean(job, found)
    if due is None:
        return Plan(status=status.to_wire(), delete=cleaned)
    left = (due - now).total_seconds()
    if left > 0:
        return Plan(status=status.to_wire(), delete=cleaned, requeue_after=left)
    meta = job.metadata
    ref = ObjectRef(job.api_version, job.kind, meta.namespace, meta.name)
    return Plan(delete=(Delete(ref, meta.uid),))


def _clean(job: TrainingJob, found: Look) -> tuple[Delete, ...]:
    """Return the deletion of the Jobs, and so of their pods, that ``cleanPodPolicy`` wants gone.

    A Job that has not ended has pods that run, or may still get some.
    """
    policy = job.spec.clean_pod_policy
    jobs = [one for one in (found.training, found.packaging) if one and not one.deleting]
    unwanted = (one for one in jobs if policy == "All" or (policy != "None" and not one.finished))
    return tuple(Delete(one.ref, one.uid) for one in unwanted)


def due_at(job: TrainingJob) -> datetime | None:
    """Return when a finished job's time is over; None where it stays for good."""
    ttl, end = job.spec.ttl_seconds_after_finished, parse_time(job.status.completion_time)
    if end is None:
        conditions = job.status.conditions
        last = find(conditions, reasons.SUCCEEDED) or find(conditions, reasons.FAILED)
        end = parse_time(last.last_transition_time) if last else None
    return end + timedelta(seconds=ttl) if ttl is not None and end else None
