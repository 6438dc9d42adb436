"""The HorizontalPodAutoscaler, there only while autoscaling is asked for."""

from slipway.api import ModelDeployment
from slipway.manifests import child
from slipway.plan import Children, Delete, Manifest, ObjectRef
from slipway.serving.children import names, slots
from slipway.serving.children.slots import Slot

API_VERSION, KIND = "autoscaling/v2", "HorizontalPodAutoscaler"


def autoscaler(deployment: ModelDeployment, active: Slot, least: int = 1) -> Manifest | None:
    """Return the autoscaler, which looks at the server's CPU alone; None where none is wanted.

    ``least`` is how many pods it must leave for the time of a rollout: those that the candidate
    relieves of work are needed again when it is rolled back.
    """
    autoscaling = deployment.spec.autoscaling
    if autoscaling is None:
        return None
    name = deployment.metadata.name
    cpu = {
        "name": "cpu",
        "container": names.MAIN,
        "target": {
            "type": "Utilization",
            "averageUtilization": autoscaling.target_cpu_utilization_percentage,
        },
    }
    spec = {
        "scaleTargetRef": {
            "apiVersion": slots.API_VERSION,
            "kind": slots.KIND,
            "name": active.workload,
        },
        "minReplicas": min(max(autoscaling.min_replicas, least), autoscaling.max_replicas),
        "maxReplicas": autoscaling.max_replicas,
        "metrics": [{"type": "ContainerResource", "containerResource": cpu}],
    }
    return {**child(deployment, API_VERSION, KIND, name, names.SERVER), "spec": spec}


def unwanted_autoscaler(deployment: ModelDeployment, children: Children) -> tuple[Delete, ...]:
    """Return the deletion of an autoscaler that is not asked for any more."""
    if deployment.spec.autoscaling is not None:
        return ()
    meta = deployment.metadata
    live = children.get(API_VERSION, KIND, meta.namespace, meta.name)
    return (Delete(ObjectRef.of(live), live["metadata"]["uid"]),) if live else ()
