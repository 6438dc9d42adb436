"""Why a group failed: the pod that failed first, told apart from those that died of it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from slipway.api import parse_time
from slipway.training import names, reasons
from slipway.training.messages import LastWord, last_word
from slipway.training.view import ContainerView, PodView

STOPPED_CODE = 143
"""Exit code of a program that SIGTERM ended: 128 + 15."""

_KNOWN = frozenset(
    {
        reasons.SCRIPT_FAILED,
        reasons.OUT_OF_MEMORY,
        reasons.RENDEZVOUS_FAILED,
        reasons.LAUNCHER_FAILED,
        reasons.TORCH_NOT_FOUND,
        reasons.COMMAND_NOT_FOUND,
        reasons.ENTRYPOINT_NOT_FOUND,
        reasons.OUTPUT_UPLOAD_FAILED,
        reasons.CHECKPOINT_FAILED,
    }
)
_PEER_LOST = re.compile(
    r"connection (closed|reset) by peer|NCCL.*(remote|abort)|"
    r"(socket|connection) timeout|broken pipe|EOFError",
    re.IGNORECASE,
)
"""What Gloo, NCCL and c10d say where the partner is gone rather than the program wrong."""


@dataclass(frozen=True)
class Failure:
    """Why something failed: a reason of `slipway.training.reasons` and sentences for people."""

    reason: str
    message: str


def first_failure(pods: Iterable[PodView]) -> Failure | None:
    """Return the failure that came first in the last try; None where no failed pod says why.

    Of each index only the newest failed pod counts. Pods that were told to stop, or that lost
    their partner, come after those that failed on their own.
    """
    newest = {pod.index: pod for pod in sorted(pods, key=lambda one: one.created) if pod.failed}
    first = min(newest.values(), key=_order, default=None)
    return describe(first) if first else None


def _order(pod: PodView) -> tuple[bool, float, int]:
    word = _word(pod)
    if word is None:
        lost_at = pod.condition("DisruptionTarget").get("lastTransitionTime")
        return pod.deleting and not pod.disrupted, _seconds(lost_at), pod.index
    followed = pod.deleting or _stopped(word) or _lost_peer(word)
    return followed and not pod.disrupted, word.time or _seconds(word.finished_at), pod.index


def _seconds(text: str | None) -> float:
    moment: datetime | None = parse_time(text or None)
    return moment.timestamp() if moment else 0.0


def _stopped(word: LastWord) -> bool:
    return word.exit_code == STOPPED_CODE or word.string("reason") == "Stopped"


def _lost_peer(word: LastWord) -> bool:
    failed_to_meet = word.string("reason") == reasons.RENDEZVOUS_FAILED
    return failed_to_meet or bool(_PEER_LOST.search(word.log_tail))


def describe(pod: PodView) -> Failure:
    """Return why one pod failed, with the last lines of its log."""
    ended, word = _culprit(pod), _word(pod)
    if pod.disrupted or pod.status.get("reason") or ended is None or word is None:
        return _lost(pod)
    reason, sentence = _reason(word), _sentence(ended, word)
    tail = f"\nLast lines of its log:\n{word.log_tail}" if word.log_tail else ""
    return Failure(reason, f"{_who(pod)} failed: {sentence}{tail}")


def _culprit(pod: PodView) -> ContainerView | None:
    """Return the container that ended badly: the main one first, then whatever came before it."""
    ended = [one for one in (pod.main, *pod.containers) if one.exit_code]
    return next((one for one in ended if one.name != names.AGENT), None)


def _word(pod: PodView) -> LastWord | None:
    ended = _culprit(pod)
    return last_word(ended) if ended else None


def _lost(pod: PodView) -> Failure:
    disruption = pod.condition("DisruptionTarget")
    why = pod.status.get("message") or disruption.get("message") or "no container says why"
    how = pod.status.get("reason") or disruption.get("reason") or "no exit code"
    return Failure(reasons.POD_LOST, f"{_who(pod)} was lost ({how}): {_ended(str(why))}")


def _reason(word: LastWord) -> str:
    if word.killed_for_memory:
        return reasons.OUT_OF_MEMORY
    if _stopped(word):
        return reasons.POD_LOST
    said = word.string("reason")
    return said if said in _KNOWN else reasons.SCRIPT_FAILED


def _sentence(ended: ContainerView, word: LastWord) -> str:
    said = word.string("message")
    if word.killed_for_memory:
        said = f"The container {ended.name} used more memory than its limit."
        if ended.name == names.TRAINER:
            said += " Raise spec.resources.limits.memory, or let the script use less."
    return f"exit code {word.exit_code}. {_ended(said)}" if said else f"exit code {word.exit_code}."


def _ended(sentence: str) -> str:
    text = sentence.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _who(pod: PodView) -> str:
    return f"Pod {pod.name}"
