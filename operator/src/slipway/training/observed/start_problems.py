"""Why a pod does not start though it should: what its kubelet and the scheduler say."""

from collections.abc import Iterable

from slipway.observed import start_problems
from slipway.observed.pods import ContainerView
from slipway.observed.start_problems import StartProblem
from slipway.pods.refused import reason
from slipway.training import reasons
from slipway.training.children import names
from slipway.training.observed.first_failure import Failure
from slipway.training.observed.jobs import JobView
from slipway.training.observed.pods import JobPod
from slipway.training.snapshot import TrainingSnapshot


def first_problem(pods: Iterable[JobPod]) -> Failure | None:
    """Return what keeps the first of the pods from starting; None where nothing is known to.

    The message does not change from one try of the kubelet to the next, so that it is written once.
    """
    return next((found for pod in pods if _starts(pod) and (found := _problem(pod))), None)


def missing_source(snapshot: TrainingSnapshot, pods: Iterable[JobPod]) -> Failure | None:
    """Return that pods wait for a source that was deleted; None where that is not so.

    The kubelet says so in events alone: such a pod's own status only says that it starts.
    """
    source = snapshot.job.spec.source_config_map
    waiting = next((pod for pod in pods if _starts(pod)), None)
    if source is None or waiting is None or not snapshot.source_gone:
        return None
    message = (
        f"Pod {waiting.name} waits for the ConfigMap {source.name}, which is not there any more: "
        "create it again."
    )
    return Failure(reasons.SOURCE_NOT_FOUND, message)


def refused(snapshot: TrainingSnapshot, live: JobView) -> Failure | None:
    """Return what the API server says of a Job's pods that it refuses; None where it does not."""
    refusal = snapshot.refused.get(live.uid)
    return Failure(reason(refusal), f"The pods are refused: {refusal}") if refusal else None


def is_fetching(pods: Iterable[JobPod]) -> bool:
    """Tell whether one of the pods fetches its source or an input just now."""
    brought = (
        container
        for pod in pods
        if _starts(pod)
        for container in pod.containers
        if container.running
    )
    return any(
        container.name == names.SOURCE or container.name.startswith("input-")
        for container in brought
    )


def _starts(pod: JobPod) -> bool:
    return not (pod.ended or pod.deleting or pod.main.running)


def _problem(pod: JobPod) -> Failure | None:
    problems = (_container_problem(pod, container) for container in pod.containers)
    problem = start_problems.unschedulable(pod) or next(filter(None, problems), None)
    return Failure(problem.reason, f"Pod {pod.name}: {problem.message}") if problem else None


def _container_problem(pod: JobPod, container: ContainerView) -> StartProblem | None:
    problem = start_problems.container_problem(pod, container)
    if problem is None and container.restarts:
        text = (
            f"Container {container.name} ends again and again: look into its log. The kubelet "
            "starts it again."
        )
        return StartProblem(reasons.CONTAINER_CANNOT_START, text)
    return problem
