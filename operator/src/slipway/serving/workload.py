"""The Deployment: Kubernetes itself replaces the pods of one revision by those of the next."""

from slipway.api import ModelDeployment
from slipway.manifests import child
from slipway.plan import Manifest, ObjectRef, Patch
from slipway.serving import names
from slipway.serving.revision import Revision

MIN_READY_SECONDS = 3
"""How long a pod must be ready before an old one goes: all nodes have heard of it by then."""
REVISION_HISTORY = 1

API_VERSION, KIND = "apps/v1", "Deployment"


def workload(
    deployment: ModelDeployment, revision: Revision, track: str = names.STABLE
) -> Manifest:
    """Return the Deployment of a track; without ``replicas``, see `scale`."""
    rollout = deployment.spec.rollout
    rolling = {
        "maxSurge": rollout.rolling_update.max_surge,
        "maxUnavailable": rollout.rolling_update.max_unavailable,
    }
    spec = {
        "selector": {"matchLabels": names.selector(deployment, track)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
        "minReadySeconds": MIN_READY_SECONDS,
        "progressDeadlineSeconds": rollout.progress_deadline_seconds,
        "revisionHistoryLimit": REVISION_HISTORY,
        "template": revision.template,
    }
    return {
        **child(deployment, API_VERSION, KIND, deployment.metadata.name, names.SERVER),
        "spec": spec,
    }


def scale(deployment: ModelDeployment, live: Manifest | None) -> Patch | None:
    """Return the patch of the Deployment's replicas; None where they are as they should be.

    They are patched and never applied: a field that was applied once and then left to an
    autoscaler would fall back to 1 with the next apply. While autoscaling is set they are the
    autoscaler's alone, except at the start, and at 0, from where it never scales.
    """
    found = 1 if live is None else int((live.get("spec") or {}).get("replicas", 1))
    wanted = deployment.spec.replicas
    auto = deployment.spec.autoscaling
    if auto is not None:
        wanted = auto.min_replicas if live is None or found == 0 else found
    if wanted == found:
        return None
    meta = deployment.metadata
    ref = ObjectRef(API_VERSION, KIND, meta.namespace, meta.name)
    return Patch(ref, {"spec": {"replicas": wanted}})
