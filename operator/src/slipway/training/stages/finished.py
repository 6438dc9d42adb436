"""After the end: the status stays, nothing is created again, and at last the object goes."""

from datetime import datetime, timedelta

from slipway.api import TrainingJob
from slipway.plan import Children, Delete, ObjectRef, Plan
from slipway.settings import Settings
from slipway.training.children import names
from slipway.training.observed.jobs import JobView, ObservedJobs
from slipway.training.report.phase import is_finished
from slipway.training.snapshot import TrainingSnapshot
from slipway.training.stages import repackaging
from slipway.training.stored.retention import ended, retain


def after_the_end(
    snapshot: TrainingSnapshot, observed: ObservedJobs, settings: Settings, now: datetime
) -> Plan:
    """Delete a finished TrainingJob when its ``ttlSecondsAfterFinished`` has passed.

    Until then its pods are cleaned up by ``cleanPodPolicy``, and what it stored by its retention.
    ``observedGeneration`` follows the spec, whose lifetime may still change.
    """
    job = snapshot.job
    due = due_at(job)
    left = (due - now).total_seconds() if due is not None else None
    if left is None or left > 0:
        return _kept(snapshot, observed, left, settings, now)
    meta = job.metadata
    ref = ObjectRef(job.api_version, job.kind, meta.namespace, meta.name)
    return Plan(delete=(Delete(ref, meta.uid),))


def _kept(
    snapshot: TrainingSnapshot,
    observed: ObservedJobs,
    left: float | None,
    settings: Settings,
    now: datetime,
) -> Plan:
    """Return the plan for a finished job that is not to go, or only in ``left`` seconds."""
    job = snapshot.job
    known = repackaging.adopted(job)
    status = known.model_copy(update={"observed_generation": job.metadata.generation})
    stored = retain(job, status, snapshot.references, snapshot.removed, settings, now)
    moments = [moment for moment in (left, stored.requeue_after) if moment is not None]
    return Plan(
        apply=stored.apply,
        delete=_clean(job, observed),
        status=stored.status.to_wire(),
        events=stored.events,
        requeue_after=min(moments, default=None),
        removal=stored.removal,
    )


def _clean(job: TrainingJob, observed: ObservedJobs) -> tuple[Delete, ...]:
    """Return the deletion of the Jobs, and so of their pods, that ``cleanPodPolicy`` wants gone.

    A Job that has not ended has pods that run, or may still get some.
    """
    policy = job.spec.clean_pod_policy
    jobs = [each for each in (observed.training, observed.packaging) if each and not each.deleting]
    unwanted = (
        each for each in jobs if policy == "All" or (policy != "None" and not each.finished)
    )
    return tuple(Delete(each.ref, each.uid) for each in unwanted)


def due_at(job: TrainingJob) -> datetime | None:
    """Return when a finished job's time is over; None where it stays for good."""
    ttl, end = job.spec.ttl_seconds_after_finished, ended(job)
    return end + timedelta(seconds=ttl) if ttl is not None and end else None


def spent_keys(job: TrainingJob, observed: ObservedJobs) -> tuple[Delete, ...]:
    """Return the deletion of the Job that waited for keys, once the training is there or over."""
    live = observed.keys
    begun = observed.training is not None or job.status.output is not None
    if live is None or live.deleting or not (begun or is_finished(job.status.conditions)):
        return ()
    return (Delete(live.ref, live.uid),)


def needless(
    job: TrainingJob, planned: Plan, training: JobView | None, children: Children
) -> tuple[Delete, ...]:
    """Return the deletion of the Service once a plan says that the training is over for good.

    Kubernetes tries the selectors of all Services of a namespace when a pod there is placed and at
    its changes: jobs that have ended would slow down those that run.
    """
    over = bool((planned.status or {}).get("output")) or is_finished(job.status.conditions)
    goes = any(gone.ref.kind == job.kind for gone in planned.delete)
    if not over or goes or (training and not (training.finished and training.idle)):
        return ()
    service = children.get("v1", "Service", job.metadata.namespace, names.train_name(job))
    if service is None:
        return ()
    return (Delete(ObjectRef.of(service), service["metadata"]["uid"]),)
