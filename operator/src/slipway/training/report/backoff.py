"""The back-off of whole-group restarts: attempts in a row that ended soon put the next one off.

It is no matter what ended them, a failure that counts, one that a rule forgives, or a disruption:
what ends again and again would otherwise make and delete Jobs and pods without pause.
"""

from datetime import datetime, timedelta

from slipway.api import TrainingJob, parse_time, timestamp
from slipway.api.training.attempts import BackOff
from slipway.training.observed.jobs import JobView
from slipway.training.observed.pods import JobPod

FIRST_DELAY_SECONDS = 10.0
"""The wait before the second restart in a row; the first one waits for nothing."""
LONGEST_DELAY_SECONDS = 360.0
"""The longest wait, the same as for a Job's failed pods.
Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy"""
HEALTHY_SECONDS = 600.0
"""An attempt whose pods ran for so long is no sign that the next one would end at once."""


def after_attempt(before: BackOff, live: JobView, now: datetime) -> BackOff:
    """Return the back-off after the attempt that ``live`` is, which has to start again."""
    if ran_seconds(live, now) >= HEALTHY_SECONDS:
        return BackOff()
    count = before.short_attempts + 1
    wait = delay_seconds(count)
    until = timestamp(now + timedelta(seconds=wait)) if wait else None
    return BackOff(short_attempts=count, until=until)


def delay_seconds(short_attempts: int) -> float:
    """Return how long a restart waits after so many attempts in a row that ended soon."""
    if short_attempts < 2:
        return 0.0
    return min(FIRST_DELAY_SECONDS * 2.0 ** min(short_attempts - 2, 16), LONGEST_DELAY_SECONDS)


def seconds_left(job: TrainingJob, now: datetime) -> float:
    """Return how many seconds the next start still waits; never more than the longest wait.

    So an operator's clock that was set back holds no job up.
    """
    until = parse_time(job.status.back_off.until)
    if until is None:
        return 0.0
    left = (until - now).total_seconds()
    return left if left <= LONGEST_DELAY_SECONDS else 0.0


def ran_seconds(live: JobView, now: datetime) -> float:
    """Return how long that pod's program ran which ran longest, by its kubelet's word."""
    return max((_ran(pod, now) for pod in (*live.pods, *live.gone)), default=0.0)


def _ran(pod: JobPod, now: datetime) -> float:
    main = pod.main
    begun = parse_time((main.terminated or main.state.get("running") or {}).get("startedAt"))
    end = parse_time(main.terminated.get("finishedAt")) or now
    return max(0.0, (end - begun).total_seconds()) if begun else 0.0
