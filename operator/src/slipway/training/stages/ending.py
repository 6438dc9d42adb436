"""The training's end: what it put out, or why it failed."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from slipway.api import TrainingJob, find, parse_time, timestamp
from slipway.api.training.status import OutputStatus, SkippedFile, SkippedFiles
from slipway.settings import Settings
from slipway.store import output_uri
from slipway.training import reasons
from slipway.training.children import names
from slipway.training.observed import jobs
from slipway.training.observed.first_failure import Failure, first_failure
from slipway.training.observed.jobs import JobView
from slipway.training.observed.last_words import last_word
from slipway.training.observed.pods import JobPod
from slipway.training.outcome import Finding, Outcome, kept
from slipway.training.report import running_time
from slipway.training.report.conditions import suspension
from slipway.training.report.conditions.common import created, not_running
from slipway.training.report.progress import final_progress
from slipway.training.stages import restart

LATE = timedelta(seconds=10)
"""A pod's last word may be seen later than its Job's end; it is waited for so long."""
LOOK_AGAIN_SECONDS = 1.0


def ended_at(live: JobView) -> datetime | None:
    """Return when a Job ended; None where it has not."""
    condition = live.condition("Complete") or live.condition("Failed")
    text = live.status.get("completionTime") or condition.get("lastTransitionTime")
    return parse_time(text) if condition else None


def may_come(live: JobView, now: datetime) -> bool:
    """Tell whether a missing last word of an ended Job's pods may still come."""
    end = ended_at(live)
    return end is not None and now < end + LATE


def first_pod(live: JobView) -> JobPod | None:
    """Return the newest pod of index 0 that ended well; None where there is none."""
    return next(iter(_good_first_pods(live)), None)


def _good_first_pods(live: JobView) -> list[JobPod]:
    """Return the pods of index 0 that ended well, newest first, those that are gone too."""
    good = [pod for pod in (*live.pods, *live.gone) if pod.index == 0 and pod.succeeded]
    return sorted(good, key=lambda pod: pod.created, reverse=True)


def output_of(
    job: TrainingJob, live: JobView, settings: Settings, now: datetime
) -> OutputStatus | None:
    """Return where a completed training's output lies; None while its last word may still come.

    The URI is the one that the sidecar was told, never the pod's own word. Counts are the word of
    the sidecar, which stored the output; in pods of release 0.2.0, of the launcher. Where the last
    word is lost with its pod, only the counts are.
    """
    if first_pod(live) is None and may_come(live, now):
        return None
    said = _said_of_output(live)
    uri = told(live, names.AGENT, "SLIPWAY_OUTPUT_URI") or output_uri(settings.store, job)
    return OutputStatus(
        uri=uri,
        files=_count(said, "files"),
        size_bytes=_count(said, "sizeBytes"),
        skipped=_skipped(said.get("skipped")),
    )


def _said_of_output(live: JobView) -> Mapping[str, Any]:
    for pod in _good_first_pods(live):
        for container in (pod.container(names.AGENT), pod.main):
            word = last_word(container)
            if word and word.mapping("output"):
                return word.mapping("output")
    return {}


def _skipped(said: Any) -> SkippedFiles | None:
    """Return what is said to be left out; None where that is nothing, or nothing that can be."""
    if not isinstance(said, dict) or _count(said, "count") == 0:
        return None
    first = said.get("first")
    rows = [row for row in first if isinstance(row, dict)] if isinstance(first, list) else []
    files = [SkippedFile(path=_text(row, "path"), why=_text(row, "why")) for row in rows[:10]]
    return SkippedFiles(count=_count(said, "count"), first=files)


def _text(said: Mapping[str, Any], field: str) -> str:
    value = str(said.get(field) or "")
    return "".join(char if char.isprintable() else "?" for char in value[:256])


def trained_image(live: JobView | None, job: TrainingJob, settings: Settings) -> str:
    """Return the image that trained, as the Job has it: the default may have moved since."""
    container = _container(live, names.TRAINER) if live else {}
    return str(container.get("image") or job.spec.image or settings.trainer_image)


def after_failure(job: TrainingJob, live: JobView, now: datetime) -> Outcome:
    """Start the group again or end the job, since its Job has failed.

    Waits a moment for the pods' word on it. Where Kubernetes replaces pods one by one, its Job
    fails when there are no tries left.
    """
    failure = _failure(job, live)
    if failure is None and may_come(live, now):
        return Outcome(requeue_after=LOOK_AGAIN_SECONDS)
    cause = failure or _unexplained(live)
    if cause.reason == reasons.DEADLINE_EXCEEDED or job.spec.restart_policy == "Pod":
        return end(job, live, cause, now)
    return restart.restart(job, live, cause, now) or end(job, live, cause, now)


def end(job: TrainingJob, live: JobView | None, cause: Failure, now: datetime) -> Outcome:
    """End the job for a failure; ``live`` is its training Job, which may not have ended."""
    run_failed = "The training has failed; the condition Failed says why."
    return Outcome(
        findings=(
            created() if live else kept(job.status, reasons.CREATED, _never_created()),
            not_running(reasons.RUN_FAILED, run_failed),
            *suspension.over(job.status),
            Finding(reasons.FAILED, True, cause.reason, cause.message),
        ),
        progress=final_progress(job, live) if live else None,
        failure=restart.record_of(cause, jobs.attempt_of(job, live), now),
        completion_time=timestamp((ended_at(live) if live else None) or now),
    )


def _never_created() -> Finding:
    return Finding(reasons.CREATED, False, reasons.RUN_FAILED, "The job ended before its start.")


def _failure(job: TrainingJob, live: JobView) -> Failure | None:
    failed = live.condition("Failed")
    if failed.get("reason") == "DeadlineExceeded":
        return Failure(reasons.DEADLINE_EXCEEDED, _deadline_message(job))
    failure = first_failure((*live.pods, *live.gone))
    disrupted = failed.get("reason") == "PodFailurePolicy" and job.spec.restart_policy != "Pod"
    if disrupted and not (failure and failure.disruption):
        return Failure(reasons.POD_LOST, f"A pod was lost: {failed.get('message') or 'no word'}")
    return failure


def _deadline_message(job: TrainingJob) -> str:
    message = running_time.exceeded(job).message
    before = find(job.status.conditions, reasons.RUNNING)
    if before and before.reason in reasons.PROBLEMS:
        message += f" What was wrong until then: {before.message}"
    return message


def _unexplained(live: JobView) -> Failure:
    why = live.condition("Failed").get("message") or "it does not say why"
    return Failure(reasons.JOB_FAILED, f"The Job {live.ref.name} failed: {why}")


def told(live: JobView, container: str, variable: str) -> str:
    """Return what the operator told a container of a Job's pods; empty where it told nothing."""
    variables = _container(live, container).get("env") or ()
    values = (each.get("value") for each in variables if each.get("name") == variable)
    return next(values, None) or ""


def _container(live: JobView, name: str) -> Mapping[str, Any]:
    pod = (live.spec.get("template") or {}).get("spec") or {}
    both = (*(pod.get("initContainers") or ()), *(pod.get("containers") or ()))
    return next((container for container in both if container["name"] == name), {})


def _count(said: Mapping[str, Any], field: str) -> int:
    value = said.get(field)
    return value if isinstance(value, int) and 0 <= value < 2**63 else 0
