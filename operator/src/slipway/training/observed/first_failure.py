"""Why a group failed: the pod that failed first, told apart from those that died of it."""

import math
import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from slipway.api import parse_time, timestamp
from slipway.api.training.attempts import FailureStatus
from slipway.observed.pods import ContainerView
from slipway.training import reasons
from slipway.training.children import names
from slipway.training.observed.last_words import LastWord
from slipway.training.observed.pods import JobPod

STOPPED_REASON = "Stopped"
"""The word of a container's own that it was told to stop. An exit code alone is no such word."""

MAX_TAIL = 4096
"""Longest end of a log that the status keeps, in characters."""

_KNOWN = frozenset(
    {
        reasons.SCRIPT_FAILED,
        reasons.OUT_OF_MEMORY,
        reasons.RENDEZVOUS_FAILED,
        reasons.LAUNCHER_FAILED,
        reasons.TORCH_NOT_FOUND,
        reasons.COMMAND_NOT_FOUND,
        *reasons.INVALID_CODE,
        reasons.COMMAND_NOT_EXECUTABLE,
        reasons.SOURCE_NOT_FOUND,
        reasons.INPUT_NOT_FOUND,
        reasons.SERVER_UNAVAILABLE,
        reasons.ACCESS_DENIED,
        reasons.DIGEST_MISMATCH,
        reasons.INVALID_ARCHIVE,
        reasons.KEY_NOT_FOUND,
        reasons.INVALID_KEY,
        reasons.WRONG_KEY,
        reasons.ARCHIVE_CUT,
        reasons.ARCHIVE_CHANGED,
        reasons.DISK_FULL,
        reasons.FETCH_FAILED,
        reasons.ENTRYPOINT_NOT_FOUND,
        reasons.OUTPUT_UPLOAD_FAILED,
        reasons.CHECKPOINT_FAILED,
    }
)
_MORE_MEMORY = {
    names.TRAINER: " Raise spec.resources.limits.memory, or let the script use less.",
    names.BUILDER: " Raise spec.package.resources.limits.memory.",
    names.ANSWERER: " Raise spec.package.samples.resources.limits.memory.",
    names.PACKAGER: " Raise spec.package.resources.limits.memory.",
    names.SOURCE: " Raise spec.fetch.resources.limits.memory.",
}
"""What a container's user may do where it used more memory than its limit."""
_NEVER_STARTED = ("StartError", "ContainerCannotRun")
"""What a node says of a container that it could not start: its message is the runtime's own."""
_PEER_LOST = re.compile(
    r"connection (closed|reset) by peer|^(?:(?!NCCL).)*+NCCL.*(remote|abort)|"
    r"(socket|connection) timeout|broken pipe|EOFError",
    re.IGNORECASE | re.MULTILINE,
)
"""What Gloo, NCCL and c10d say where the partner is gone rather than the program wrong. Of a line
only the first NCCL is looked behind: a line of nothing else would take a tenth of a second."""


@dataclass(frozen=True)
class Failure:
    """Why something failed: a reason of `slipway.training.reasons` and sentences for people.

    ``record`` is the same for programs, where a pod says why.
    """

    reason: str
    message: str
    record: FailureStatus | None = None

    @property
    def disruption(self) -> bool:
        """Whether the cluster took a pod away, rather than that the program failed."""
        return self.reason == reasons.POD_LOST


def first_failure(pods: Iterable[JobPod]) -> Failure | None:
    """Return the failure that came first in the last try; None where no failed pod says why.

    Of each index only the newest pod counts that failed or was taken away. Pods that were stopped
    because of another's failure, or that lost their partner, come after those that failed on their
    own. A pod that was taken away before any other failed is what the others died of.
    """
    every = tuple(pods)
    ended = [pod for pod in every if pod.failed or (pod.taken_at is not None and not pod.succeeded)]
    newest = {pod.index: pod for pod in sorted(ended, key=lambda one: one.created)}
    if not any(pod.failed for pod in newest.values()):
        return None
    limit = _taken_before(list(newest.values()), any(pod.succeeded for pod in every))
    first = min(newest.values(), key=lambda pod: _order(pod, limit))
    return _with_followers(describe(first), len(newest) - 1)


def first_taken(pods: Iterable[JobPod]) -> JobPod:
    """Return which of some pods that were taken away went first; there is at least one."""
    return min(pods, key=lambda pod: _order(pod, math.inf))


def _taken_before(pods: list[JobPod], some_succeeded: bool) -> float:
    """Return before which moment a pod must have been taken away to be what the others died of.

    The API server keeps whole seconds of it, and a Job's survivors are deleted right after the
    first failure. Within that second it is a cause if all others only lost a partner, and no pod
    may have left the group by ending well.
    """
    crashed = [pod for pod in pods if _crashed(pod)]
    if not crashed:
        return math.inf
    first = math.floor(min(map(_failed_at, crashed)))
    partners = all(_lost_peer(pod) for pod in crashed) and not some_succeeded
    return first + 1 if partners else first


def _with_followers(failure: Failure, count: int) -> Failure:
    record = failure.record
    noted = record.model_copy(update={"followers": count}) if record else None
    followers = f" {count} other pod(s) ended because of it." if count else ""
    head, newline, tail = failure.message.partition("\n")
    return Failure(failure.reason, f"{head}{followers}{newline}{tail}", noted)


def _crashed(pod: JobPod) -> bool:
    """Tell whether a pod failed without having been told to go."""
    word = pod.word
    return pod.failed and pod.taken_at is None and not (word and _stopped(word))


def _order(pod: JobPod, limit: float) -> tuple[bool, float, bool, bool, float, int]:
    """Return where a pod stands among those that failed: causes first, then by time.

    Of pods that were taken away within one second, those whose program has ended come first, by
    when it was told to stop or failed, unless it lost its partner: a Job deletes the others once
    the first is over.
    """
    taken, ended = pod.taken_at, _failed_at(pod)
    if taken is not None:
        followed = not (pod.disrupted or taken < limit)
        why = (not pod.disrupted, _lost_peer(pod))
        return followed, taken, *why, ended or math.inf, pod.index
    followed = not _crashed(pod) or _lost_peer(pod)
    return followed, ended, True, True, ended, pod.index


def _failed_at(pod: JobPod) -> float:
    word = pod.word
    return (word.time or _seconds(word.finished_at)) if word else 0.0


def _seconds(text: str | None) -> float:
    moment: datetime | None = parse_time(text or None)
    return moment.timestamp() if moment else 0.0


def _stopped(word: LastWord) -> bool:
    return word.string("reason") == STOPPED_REASON


def _lost_peer(pod: JobPod) -> bool:
    word = pod.word
    if word is None:
        return False
    failed_to_meet = word.string("reason") == reasons.RENDEZVOUS_FAILED
    return failed_to_meet or bool(_PEER_LOST.search(word.log_tail))


def describe(pod: JobPod) -> Failure:
    """Return why one pod failed, with the last lines of its log."""
    if pod.outgrown:
        return _full(pod)
    ended, word = pod.culprit, pod.word
    if pod.disrupted or pod.status.get("reason") or ended is None or word is None:
        return _lost(pod)
    reason, sentence = _reason(pod, ended, word), _sentence(ended, word)
    who = _who(pod) if ended.name == pod.component else f"{_who(pod)}, container {ended.name},"
    tail = f"\nLast lines of its log:\n{word.log_tail}" if word.log_tail else ""
    record = FailureStatus(
        **_place(pod, reason),
        container=ended.name,
        exit_code=word.exit_code,
        signal=_signal(word),
        time=_moment(word),
        log_tail=word.log_tail[-MAX_TAIL:],
    )
    return Failure(reason, f"{who} failed: {sentence}{tail}", record)


def _place(pod: JobPod, reason: str) -> dict[str, Any]:
    lost = reason == reasons.POD_LOST
    where = {"pod": pod.name, "index": pod.index, "node": pod.node}
    return {"reason": reason, "disruption": lost, **where}


def _signal(word: LastWord) -> str | None:
    """Return the signal that ended the program: by its launcher's word, or by its exit code."""
    said = word.string("signal")
    if said:
        return said[:32]
    try:
        return signal.Signals(word.exit_code - 128).name
    except ValueError:
        return None


def _moment(word: LastWord) -> str | None:
    if word.time:
        return timestamp(datetime.fromtimestamp(word.time, UTC))
    return word.finished_at or None


def _full(pod: JobPod) -> Failure:
    """Return the failure of a pod that its kubelet evicted for what it has written."""
    record = FailureStatus(**_place(pod, reasons.DISK_FULL), exit_code=pod.main.exit_code)
    message = (
        f"{_who(pod)} was evicted: {_ended(pod.outgrown)} Raise what is full in spec.volumeSizes "
        "or the limit of ephemeral-storage in spec.resources, or let the script write less."
    )
    return Failure(reasons.DISK_FULL, message, record)


def _lost(pod: JobPod) -> Failure:
    disruption = pod.condition("DisruptionTarget")
    deleted = (
        ("deleted", "somebody deleted it") if pod.deleting else ("no exit code", "nobody says why")
    )
    why = pod.status.get("message") or disruption.get("message") or deleted[1]
    how = pod.status.get("reason") or disruption.get("reason") or deleted[0]
    taken = pod.taken_at
    record = FailureStatus(
        **_place(pod, reasons.POD_LOST),
        exit_code=pod.main.exit_code,
        time=timestamp(datetime.fromtimestamp(taken, UTC)) if taken else None,
    )
    message = f"{_who(pod)} was lost ({how}): {_ended(str(why))}"
    return Failure(reasons.POD_LOST, message, record)


def _reason(pod: JobPod, ended: ContainerView, word: LastWord) -> str:
    if word.killed_for_memory:
        return reasons.OUT_OF_MEMORY
    if _stopped(word) or pod.deleting:
        return reasons.POD_LOST
    said = word.string("reason")
    if said in _KNOWN:
        return said
    if ended.terminated.get("reason") in _NEVER_STARTED:
        return reasons.CONTAINER_CANNOT_START
    own = ended.name == pod.component
    return reasons.SCRIPT_FAILED if own else reasons.CONTAINER_FAILED


def _sentence(ended: ContainerView, word: LastWord) -> str:
    said = word.string("message")
    if word.killed_for_memory:
        said = f"The container {ended.name} used more memory than its limit."
        brought = ended.name.startswith(names.INPUT)
        said += _MORE_MEMORY.get(names.SOURCE if brought else ended.name, "")
    return f"exit code {word.exit_code}. {_ended(said)}" if said else f"exit code {word.exit_code}."


def _ended(sentence: str) -> str:
    text = sentence.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _who(pod: JobPod) -> str:
    return f"Pod {pod.name}"
