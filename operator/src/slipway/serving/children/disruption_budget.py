"""The PodDisruptionBudget: how many pods a drained node may take away at a time."""

from slipway.api import ModelDeployment
from slipway.manifests import child
from slipway.plan import Manifest
from slipway.serving.children import names
from slipway.serving.children.slots import Slot


def budget(deployment: ModelDeployment, active: Slot) -> Manifest:
    """Return the budget of the slot that serves; pods that do not work may always be evicted."""
    spec = {
        "maxUnavailable": deployment.spec.pod_disruption_budget.max_unavailable,
        "selector": {"matchLabels": names.selector(deployment, active.track)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    kind = "PodDisruptionBudget"
    name = deployment.metadata.name
    return {**child(deployment, "policy/v1", kind, name, names.SERVER), "spec": spec}
