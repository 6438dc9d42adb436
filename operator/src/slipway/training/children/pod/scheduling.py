"""Where a training pod may run, and what devices it claims: fields of its spec."""

from typing import Any

from slipway.api import TrainingJob
from slipway.manifests import COMPONENT, TRAINING_JOB
from slipway.pods import placement
from slipway.pods.overlay import joined
from slipway.settings import Settings
from slipway.training.children import names

EXCLUSIVE = "slipway.dev/exclusive-to"
"""Label of the pods of a job that has topology domains for itself; its value is the job's UID."""


def labels(job: TrainingJob) -> dict[str, str]:
    """Return the label that a job's exclusive placement goes by; none without."""
    return {EXCLUSIVE: job.metadata.uid} if job.spec.exclusive_topology_key else {}


def fields(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    """Return the fields of the pod's spec that the job asks for; those it does not are left out."""
    asked = {
        **placement.fields(job.spec, settings),
        "topologySpreadConstraints": _spread(job),
        "affinity": joined(_exclusive(job), job.spec.affinity or {}),
    }
    return {name: value for name, value in asked.items() if value}


def resources(job: TrainingJob) -> dict[str, Any]:
    """Return the resources of the script's container, with every device that the pod claims."""
    return placement.with_claims(job.spec.resources.to_wire(), job.spec)


def _spread(job: TrainingJob) -> list[dict[str, Any]]:
    own = {TRAINING_JOB: job.metadata.name, COMPONENT: names.TRAINER}
    selector = {"labelSelector": {"matchLabels": own}}
    return [{**spread.to_wire(), **selector} for spread in job.spec.topology_spread]


def _exclusive(job: TrainingJob) -> dict[str, Any]:
    """Return the affinity that gives a job one domain for itself, as JobSet's exclusive placement.

    The pods attract each other and repel every other TrainingJob's, of any namespace. The first pod
    of a group may go anywhere though it attracts itself: the scheduler sees to that.
    Source: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
    """
    key = job.spec.exclusive_topology_key
    if key is None:
        return {}
    own = {"key": EXCLUSIVE, "operator": "In", "values": [job.metadata.uid]}
    others = [
        {"key": COMPONENT, "operator": "In", "values": [names.TRAINER]},
        {"key": EXCLUSIVE, "operator": "NotIn", "values": [job.metadata.uid]},
    ]
    return {
        "podAffinity": _required(key, [own]),
        "podAntiAffinity": _required(key, others, namespaceSelector={}),
    }


def _required(
    key: str, expressions: list[dict[str, Any]], **more: dict[str, Any]
) -> dict[str, Any]:
    term = {"topologyKey": key, "labelSelector": {"matchExpressions": expressions}, **more}
    return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
