"""What keeps a revision's pods from serving, read from the pods themselves.

Messages name no pod and no time, so that a problem that stays does not look like a new one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.api import ModelDeployment
from slipway.observed import start_problems
from slipway.observed.pods import ContainerView, PodView
from slipway.observed.start_problems import StartProblem
from slipway.serving import reasons
from slipway.serving.children import names
from slipway.serving.observed.pods import (
    TAIL_CHARACTERS,
    last_word,
    log_tail,
)
from slipway.uris import scrubbed


@dataclass(frozen=True)
class Problem:
    """A reason of `slipway.serving.reasons`, and a sentence that says what is wrong.

    ``failed_starts`` counts how often a container failed in which the model is loaded.
    """

    reason: str
    message: str
    failed_starts: int = 0


_FETCH_REASONS = reasons.NOT_BELIEVED | frozenset(
    {
        reasons.KEY_NOT_FOUND,
        reasons.INVALID_KEY,
        reasons.DIGEST_MISMATCH,
        reasons.REJECTED,
        reasons.MODEL_NOT_FOUND,
        reasons.ACCESS_DENIED,
        reasons.STORE_UNAVAILABLE,
        reasons.INVALID_ARCHIVE,
    }
)
_TESTS = (reasons.SMOKE_TEST_FAILED, reasons.SAMPLES_FAILED)
"""What a server's watcher says where the model is loaded, and is not let in."""
_KILLED = (137, 143)

Detector = Callable[[ModelDeployment, PodView], Problem | None]


def find_problem(deployment: ModelDeployment, pods: tuple[PodView, ...]) -> Problem | None:
    """Return the first problem of the pods, the same one whatever the order of the pods.

    Pods that have ended, such as evicted ones, stay in Kubernetes beside those that replace them.
    """
    live = tuple(pod for pod in pods if pod.status.get("phase") not in ("Failed", "Succeeded"))
    problems = (problem for detect in DETECTORS for problem in _each(detect, deployment, live))
    return next(problems, None) or _outgrown(pods)


def _outgrown(pods: tuple[PodView, ...]) -> Problem | None:
    """Return why pods are evicted that write more than they may, while none is ready."""
    why = sorted(pod.outgrown for pod in pods if pod.outgrown)
    if not why or any(pod.ready for pod in pods):
        return None
    text = (
        f"A pod was evicted: {why[0].rstrip('.')}. Raise what is full in spec.server.volumeSizes, "
        "or the limit of ephemeral-storage in spec.server.resources, or let the model write less."
    )
    return Problem(reasons.DISK_FULL, text)


def last_lines(pods: tuple[PodView, ...]) -> str:
    """Return how the server that failed last ended, and the end of its log; empty for none.

    Other than a problem, this stays when the container has started again.
    """
    servers = (
        container for pod in pods for container in pod.containers if container.name == names.MAIN
    )
    ends = [container.last_end for container in servers if _has_failed(container)]
    if not ends:
        return ""
    end = max(ends, key=lambda ending: str(ending.get("finishedAt") or ""))
    word = last_word(end)
    tail = scrubbed(str(word.get("logTail") or word.get("message") or "")) or log_tail(end)
    code = end.get("exitCode") or 0
    head = f"The server ended: {end.get('reason') or 'Error'}, exit code {code}"
    return f"{head}\n{tail[-TAIL_CHARACTERS:]}".strip()


def _each(
    detect: Detector, deployment: ModelDeployment, pods: tuple[PodView, ...]
) -> Iterator[Problem]:
    problems = (detect(deployment, pod) for pod in pods)
    yield from sorted(
        (problem for problem in problems if problem),
        key=lambda problem: (problem.reason, problem.message),
    )


def cannot_start(_: ModelDeployment, pod: PodView) -> Problem | None:
    """Look for a container that the node does not start."""
    problems = (start_problems.container_problem(pod, container) for container in pod.containers)
    return _own(next(filter(None, problems), None))


def fetch_failed(_: ModelDeployment, pod: PodView) -> Problem | None:
    """Look for an archive that was not brought, by fetch's termination message."""
    end = _failure(pod, names.FETCH)
    if not end:
        return None
    word = last_word(end)
    reason, message = str(word.get("reason") or ""), str(word.get("message") or "")
    if reason == "Interrupted":
        return None
    if reason in _FETCH_REASONS:
        return Problem(reason, message)
    detail = message or log_tail(end) or f"exit code {end.get('exitCode')}"
    return Problem(reasons.FETCH_FAILED, f"The archive was not fetched: {detail}")


def server_failed(deployment: ModelDeployment, pod: PodView) -> Problem | None:
    """Look for a server that ended and has not become ready again."""
    end = _failure(pod, names.MAIN)
    if not end:
        return None
    if end.get("reason") == "OOMKilled":
        text = _with_log(
            "The server used more memory than its limit: raise spec.server.resources.limits, or "
            "lower spec.server.workers",
            log_tail(end),
        )
        return Problem(reasons.OUT_OF_MEMORY, text, pod.container(names.MAIN).ends)
    said = str(last_word(end).get("reason") or "")
    reason = said if said in _TESTS else reasons.MODEL_LOAD_FAILED
    starts = pod.container(names.MAIN).ends
    return Problem(reason, _how_it_ended(deployment, end), starts)


def _how_it_ended(deployment: ModelDeployment, end: Mapping[str, Any]) -> str:
    """Return what the pod's own watcher wrote, or what the exit code and the log tell."""
    word = last_word(end)
    if word.get("message"):
        return _with_log(str(word["message"]).rstrip("."), str(word.get("logTail") or ""))
    if end.get("exitCode") in _KILLED:
        limit = deployment.spec.server.startup_timeout_seconds
        within = f"{limit} s" if limit else "time"
        text = (
            "The server was stopped, as its workers had not loaded the model in "
            f"{within} (spec.server.startupTimeoutSeconds) or it did not answer any more"
        )
        return _with_log(text, log_tail(end))
    return _with_log(f"The server ended with exit code {end.get('exitCode')}", log_tail(end))


def _with_log(text: str, tail: str) -> str:
    return f"{text}; the log ended with:\n{tail}" if tail else f"{text}."


def proxy_failed(_: ModelDeployment, pod: PodView) -> Problem | None:
    """Look for an Envoy that ended and has not started again."""
    end = _failure(pod, names.ENVOY)
    if not end or pod.container(names.ENVOY).started:
        return None
    text = f"Envoy ended with exit code {end.get('exitCode')}"
    return Problem(reasons.PROXY_FAILED, _with_log(text, log_tail(end)))


def hooks_failed(_: ModelDeployment, pod: PodView) -> Problem | None:
    """Look for a model that did not pass its test, where a program beside the server tests it.

    The program starts again, and well, before the test fails anew: only a pod that is ready passed.
    """
    hooks = pod.container(names.HOOKS)
    word = {} if pod.ready else last_word(hooks.last_end)
    if word.get("reason") == reasons.SMOKE_TEST_FAILED:
        message = str(word.get("message") or "")
        return Problem(reasons.SMOKE_TEST_FAILED, message, hooks.ends)
    end = _failure(pod, names.HOOKS)
    if not end or hooks.started:
        return None
    text = f"The container {names.HOOKS} ended with exit code {end.get('exitCode')}"
    return Problem(reasons.CONTAINER_FAILED, _with_log(text, log_tail(end)))


def container_failed(_: ModelDeployment, pod: PodView) -> Problem | None:
    """Look for a container of the user's own that ended and has not started again."""
    for container in pod.containers:
        if container.name in names.OWN_CONTAINERS or container.started:
            continue
        end = _failure(pod, container.name)
        if end:
            text = f"The container {container.name} ended with exit code {end.get('exitCode')}"
            return Problem(reasons.CONTAINER_FAILED, _with_log(text, log_tail(end)))
    return None


def unschedulable(_: ModelDeployment, pod: PodView) -> Problem | None:
    """Look for a pod that no node can take."""
    return _own(start_problems.unschedulable(pod))


def _own(problem: StartProblem | None) -> Problem | None:
    return Problem(problem.reason, problem.message) if problem else None


def _failure(pod: PodView, name: str) -> Mapping[str, Any]:
    """Return how a container failed last, if it has not done well since; else empty."""
    container = pod.container(name)
    return container.last_end if not container.ready and _has_failed(container) else {}


def _has_failed(container: ContainerView) -> bool:
    """Tell whether a container's last end was none that it should have.

    What the kubelet starts again and again has failed even where it ends with 0.
    """
    end, again = container.last_end, container.waiting.get("reason") == "CrashLoopBackOff"
    return bool(end) and bool(end.get("exitCode") or again)


DETECTORS: tuple[Detector, ...] = (
    cannot_start,
    fetch_failed,
    server_failed,
    proxy_failed,
    hooks_failed,
    container_failed,
    unschedulable,
)
"""All looks at a pod, the most telling first."""
