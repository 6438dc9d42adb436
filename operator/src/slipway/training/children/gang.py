"""Gang scheduling: the object that has a group's pods placed together or not at all.

Sources: https://scheduler-plugins.sigs.k8s.io/docs/kep/42-podgroup-coscheduling/readme/,
https://volcano.sh/en/docs/podgroup/, and for Kubernetes' own Workload
https://kubernetes.io/docs/concepts/workloads/workload-api/
"""

from dataclasses import dataclass
from typing import Any

from slipway.api import TrainingJob
from slipway.api.training.life import GangScheduler
from slipway.manifests import child
from slipway.plan import Manifest
from slipway.training.children import names

GROUP_LABEL = "scheduling.x-k8s.io/pod-group"
"""Label of the scheduler-plugins with the name of a pod's PodGroup."""
VOLCANO_ANNOTATION = "scheduling.k8s.io/group-name"
"""Volcano's annotation with the name of a pod's PodGroup."""
WORKLOAD_GROUP = "trainer"
"""Name of the one group of pods in a Workload."""


@dataclass(frozen=True)
class GangKind:
    """A kind that gangs are written as, and what brings it into a cluster."""

    api_version: str
    kind: str
    provider: str


KINDS: dict[GangScheduler, GangKind] = {
    "Coscheduling": GangKind(
        "scheduling.x-k8s.io/v1alpha1", "PodGroup", "the scheduler-plugins with Coscheduling"
    ),
    "Volcano": GangKind("scheduling.volcano.sh/v1beta1", "PodGroup", "Volcano"),
    "Workload": GangKind(
        "scheduling.k8s.io/v1alpha1",
        "Workload",
        "Kubernetes 1.35 with the feature gates GenericWorkload and GangScheduling",
    ),
}
"""The kinds by the value of ``spec.gang``."""


def gang_object(job: TrainingJob) -> Manifest | None:
    """Return the PodGroup or Workload; None where no gang is asked for."""
    kind, count = KINDS.get(job.spec.gang), job.spec.fewest_nodes
    if kind is None:
        return None
    head = child(job, kind.api_version, kind.kind, names.train_name(job), names.TRAINER)
    if job.spec.gang == "Workload":
        group = {"name": WORKLOAD_GROUP, "policy": {"gang": {"minCount": count}}}
        return {**head, "spec": {"podGroups": [group]}}
    return {**head, "spec": {"minMember": count}}


def bind(job: TrainingJob, template: Manifest) -> Manifest:
    """Return a pod template whose pods belong to the job's gang."""
    name, meta, spec = names.train_name(job), template["metadata"], template["spec"]
    if job.spec.gang == "Coscheduling":
        return {**template, "metadata": {**meta, "labels": {**meta["labels"], GROUP_LABEL: name}}}
    if job.spec.gang == "Volcano":
        notes: dict[str, Any] = {**meta.get("annotations", {}), VOLCANO_ANNOTATION: name}
        placed = {**spec, "schedulerName": "volcano"}
        return {**template, "metadata": {**meta, "annotations": notes}, "spec": placed}
    if job.spec.gang == "Workload":
        reference = {"name": name, "podGroup": WORKLOAD_GROUP}
        return {**template, "spec": {**spec, "workloadRef": reference}}
    return template
