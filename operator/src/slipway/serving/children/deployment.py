"""The Deployment: Kubernetes itself replaces the pods of one revision by those of the next."""

from slipway.api import ModelDeployment
from slipway.manifests import child
from slipway.plan import Manifest, ObjectRef, Patch
from slipway.serving.children import names
from slipway.serving.children.revision import Revision, in_slot
from slipway.serving.children.slots import API_VERSION, KIND, Slot

MIN_READY_SECONDS = 3
"""How long a pod must be ready before an old one goes: all nodes have heard of it by then."""
REVISION_HISTORY = 1


def workload(
    deployment: ModelDeployment, revision: Revision, slot: Slot, *, paused: bool = False
) -> Manifest:
    """Return a slot's Deployment with a revision in it; without ``replicas``, see `scale`.

    While it is ``paused`` no pod is replaced by one of another revision.
    """
    rollout = deployment.spec.rollout
    rolling = {
        "maxSurge": rollout.rolling_update.max_surge,
        "maxUnavailable": rollout.rolling_update.max_unavailable,
    }
    spec = {
        "selector": {"matchLabels": names.selector(deployment, slot.track)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
        "minReadySeconds": MIN_READY_SECONDS,
        "progressDeadlineSeconds": rollout.progress_deadline_seconds,
        "revisionHistoryLimit": REVISION_HISTORY,
        **({"paused": True} if paused else {}),
        "template": in_slot(revision.template, slot.track),
    }
    return {
        **child(deployment, API_VERSION, KIND, slot.workload, names.SERVER),
        "spec": spec,
    }


def scale(deployment: ModelDeployment, live: Manifest | None, active: Slot) -> Patch | None:
    """Return the patch of the serving slot's replicas; None where they are as they should be.

    They are patched and never applied: a field that was applied once and then left to an
    autoscaler would fall back to 1 with the next apply. While autoscaling is set they are the
    autoscaler's alone, except at the start, and at 0, from where it never scales.
    """
    current = 1 if live is None else int((live.get("spec") or {}).get("replicas", 1))
    desired = deployment.spec.replicas
    auto = deployment.spec.autoscaling
    if auto is not None:
        desired = auto.min_replicas if live is None or current == 0 else current
    return None if desired == current else replicas(deployment, active, desired)


def replicas(deployment: ModelDeployment, slot: Slot, count: int) -> Patch:
    """Return the patch that gives a slot so many pods."""
    ref = ObjectRef(API_VERSION, KIND, deployment.metadata.namespace, slot.workload)
    return Patch(ref, {"spec": {"replicas": count}})
