"""Why a pod does not start though it should: what its kubelet and the scheduler say."""

from collections.abc import Iterable

from slipway.observed import start_reasons
from slipway.training import reasons
from slipway.training.children import names
from slipway.training.observed.first_failure import Failure
from slipway.training.observed.jobs import JobView
from slipway.training.observed.pods import ContainerView, PodView
from slipway.training.snapshot import TrainingSnapshot


def first_problem(pods: Iterable[PodView]) -> Failure | None:
    """Return what keeps the first of the pods from starting; None where nothing is known to.

    The message does not change from one try of the kubelet to the next, so that it is written once.
    """
    return next((found for pod in pods if _starts(pod) and (found := _problem(pod))), None)


def missing_source(snapshot: TrainingSnapshot, pods: Iterable[PodView]) -> Failure | None:
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
    told = snapshot.refused.get(live.uid)
    return Failure(reasons.PODS_REFUSED, f"The pods are refused: {told}") if told else None


def is_fetching(pods: Iterable[PodView]) -> bool:
    """Tell whether one of the pods fetches its source or an input just now."""
    brought = (one for pod in pods if _starts(pod) for one in pod.containers if one.running)
    return any(one.name == names.SOURCE or one.name.startswith("input-") for one in brought)


def _starts(pod: PodView) -> bool:
    return not (pod.ended or pod.deleting or pod.main.running)


def _problem(pod: PodView) -> Failure | None:
    scheduled = pod.condition("PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        why = scheduled.get("message") or "the scheduler does not say why"
        return Failure(reasons.UNSCHEDULABLE, f"No node can take pod {pod.name}: {why}")
    found = (_container_problem(pod, container) for container in pod.containers)
    return next((problem for problem in found if problem), None)


def _container_problem(pod: PodView, container: ContainerView) -> Failure | None:
    kind = container.waiting.get("reason")
    where = f"Pod {pod.name}, container {container.name}"
    if kind in start_reasons.PULL_REASONS:
        message = (
            f"{where}: the image {container.image} cannot be pulled. Look whether its name is "
            "right and the node may pull it; it is tried again."
        )
        return Failure(reasons.IMAGE_PULL_FAILED, message)
    why = container.waiting.get("message") or "the kubelet does not say why"
    if kind == start_reasons.CONFIG_REASON:
        return Failure(_config_reason(str(why)), f"{where} waits: {why}")
    if container.restarts:
        message = f"{where} ends again and again: look into its log. It is started again."
        return Failure(reasons.CONTAINER_CANNOT_START, message)
    if kind in start_reasons.START_REASONS:
        return Failure(reasons.CONTAINER_CANNOT_START, f"{where} does not start: {why}")
    return None


def _config_reason(message: str) -> str:
    missing = start_reasons.missing_object(message)
    if missing is None:
        return reasons.CONTAINER_CANNOT_START
    return reasons.SECRET_NOT_FOUND if missing.secret else reasons.CONFIG_MAP_NOT_FOUND
