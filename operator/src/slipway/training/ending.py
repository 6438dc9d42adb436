"""The training's end: what it put out, or why it failed."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from slipway.api import TrainingJob, find, parse_time, timestamp
from slipway.api.training_status import OutputStatus, Progress
from slipway.settings import Settings
from slipway.store import output_uri
from slipway.training import names, reasons, suspension
from slipway.training.failure import Failure, first_failure
from slipway.training.messages import LastWord, last_word
from slipway.training.progress import from_report
from slipway.training.running import created
from slipway.training.step import Finding, Step
from slipway.training.view import JobView, PodView

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


def first_pod(live: JobView) -> PodView | None:
    """Return the newest pod of index 0 that ended well; None where there is none."""
    good = [pod for pod in live.pods if pod.index == 0 and pod.succeeded]
    return max(good, key=lambda pod: pod.created, default=None)


def output_of(
    job: TrainingJob, live: JobView, settings: Settings, now: datetime
) -> OutputStatus | None:
    """Return where a completed training's output lies; None while its last word may still come.

    The URI is the one that the sidecar was told, never the pod's own word. Where the last word is
    lost with its pod, only the counts are.
    """
    pod = first_pod(live)
    if pod is None and may_come(live, now):
        return None
    word = last_word(pod.main) if pod else None
    said = word.mapping("output") if word else {}
    uri = _told_uri(live) or output_uri(settings.store, job)
    return OutputStatus(uri=uri, files=_count(said, "files"), size_bytes=_count(said, "sizeBytes"))


def final_progress(live: JobView) -> Progress | None:
    """Return the last report in index 0's last word; None where there is none."""
    words = [word for pod in live.pods if pod.index == 0 and (word := last_word(pod.main))]
    newest: LastWord | None = words[-1] if words else None
    return from_report(newest.mapping("progress")) if newest else None


def trained_image(live: JobView | None, job: TrainingJob, settings: Settings) -> str:
    """Return the image that trained, as the Job has it: the default may have moved since."""
    container = _container(live, names.TRAINER) if live else {}
    return str(container.get("image") or job.spec.image or settings.trainer_image)


def fail(job: TrainingJob, live: JobView, now: datetime) -> Step:
    """End the job because its training failed, or wait a moment for the pods' word on it."""
    failure = _failure(job, live)
    if failure is None and may_come(live, now):
        return Step(requeue_after=LOOK_AGAIN_SECONDS)
    cause = failure or _unexplained(live)
    run_failed = "The training has failed; the condition Failed says why."
    return Step(
        findings=(
            created(),
            Finding(reasons.RUNNING, False, reasons.RUN_FAILED, run_failed),
            *suspension.over(job.status),
            Finding(reasons.FAILED, True, cause.reason, cause.message),
        ),
        progress=final_progress(live),
        completion_time=timestamp(ended_at(live) or now),
    )


def _failure(job: TrainingJob, live: JobView) -> Failure | None:
    if live.condition("Failed").get("reason") == "DeadlineExceeded":
        return Failure(reasons.DEADLINE_EXCEEDED, _deadline_message(job, live))
    return first_failure(live.pods)


def _deadline_message(job: TrainingJob, live: JobView) -> str:
    seconds = live.spec.get("activeDeadlineSeconds")
    message = f"The training ran longer than spec.activeDeadlineSeconds, {seconds} s."
    before = find(job.status.conditions, reasons.RUNNING)
    if before and before.reason in reasons.PROBLEMS:
        message += f" What was wrong until then: {before.message}"
    return message


def _unexplained(live: JobView) -> Failure:
    why = live.condition("Failed").get("message") or "it does not say why"
    return Failure(reasons.JOB_FAILED, f"The Job {live.ref.name} failed: {why}")


def _told_uri(live: JobView) -> str:
    variables = _container(live, names.AGENT).get("env") or ()
    told = (one.get("value") for one in variables if one.get("name") == "SLIPWAY_OUTPUT_URI")
    return next(told, None) or ""


def _container(live: JobView, name: str) -> Mapping[str, Any]:
    pod = (live.spec.get("template") or {}).get("spec") or {}
    both = (*(pod.get("initContainers") or ()), *(pod.get("containers") or ()))
    return next((one for one in both if one["name"] == name), {})


def _count(said: Mapping[str, Any], field: str) -> int:
    value = said.get(field)
    return value if isinstance(value, int) and 0 <= value < 2**63 else 0
