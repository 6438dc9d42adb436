"""Gang schedulers: they place all pods of a group together or none.

Each is one class; another one is a class here, and the right to its kind in the chart.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar


class Gang(ABC):
    """The object that a gang is written as, and how pods belong to it."""

    name: ClassVar[str]
    """Value of ``spec.gang``."""
    api_version: ClassVar[str]
    kind: ClassVar[str]
    plural: ClassVar[str]
    provider: ClassVar[str]
    """What brings the kind into a cluster, for messages."""

    @abstractmethod
    def spec(self, fewest_pods: int) -> dict[str, Any]:
        """Return the object's spec for a group that can begin with so many pods."""

    @abstractmethod
    def bind(self, template: Mapping[str, Any], group: str) -> dict[str, Any]:
        """Return a pod template whose pods belong to the object of that name."""


class Coscheduling(Gang):
    """The scheduler-plugins' Coscheduling.

    Source: https://scheduler-plugins.sigs.k8s.io/docs/kep/42-podgroup-coscheduling/readme/
    """

    name = "Coscheduling"
    api_version, kind, plural = "scheduling.x-k8s.io/v1alpha1", "PodGroup", "podgroups"
    provider = "the scheduler-plugins with Coscheduling"

    def spec(self, fewest_pods: int) -> dict[str, Any]:
        """Return the PodGroup's spec."""
        return {"minMember": fewest_pods}

    def bind(self, template: Mapping[str, Any], group: str) -> dict[str, Any]:
        """Label the pods with the name of their PodGroup."""
        meta = template["metadata"]
        labels = {**meta["labels"], "scheduling.x-k8s.io/pod-group": group}
        return {**template, "metadata": {**meta, "labels": labels}}


class Volcano(Gang):
    """Volcano's own scheduler.

    Source: https://volcano.sh/en/docs/podgroup/
    """

    name = "Volcano"
    api_version, kind, plural = "scheduling.volcano.sh/v1beta1", "PodGroup", "podgroups"
    provider = "Volcano"

    def spec(self, fewest_pods: int) -> dict[str, Any]:
        """Return the PodGroup's spec."""
        return {"minMember": fewest_pods}

    def bind(self, template: Mapping[str, Any], group: str) -> dict[str, Any]:
        """Annotate the pods with the name of their PodGroup, and hand them to Volcano."""
        meta = template["metadata"]
        notes = {**meta.get("annotations", {}), "scheduling.k8s.io/group-name": group}
        spec = {**template["spec"], "schedulerName": "volcano"}
        return {**template, "metadata": {**meta, "annotations": notes}, "spec": spec}


class Workload(Gang):
    """Kubernetes' own Workload, which has groups of pods; ours has one.

    Source: https://kubernetes.io/docs/concepts/workloads/workload-api/
    """

    name = "Workload"
    api_version, kind, plural = "scheduling.k8s.io/v1alpha1", "Workload", "workloads"
    provider = "Kubernetes 1.35 with the feature gates GenericWorkload and GangScheduling"
    pod_group = "trainer"

    def spec(self, fewest_pods: int) -> dict[str, Any]:
        """Return the Workload's spec."""
        policy = {"gang": {"minCount": fewest_pods}}
        return {"podGroups": [{"name": self.pod_group, "policy": policy}]}

    def bind(self, template: Mapping[str, Any], group: str) -> dict[str, Any]:
        """Let the pods refer to the Workload and its one group."""
        reference = {"name": group, "podGroup": self.pod_group}
        return {**template, "spec": {**template["spec"], "workloadRef": reference}}


NO_GANG = "None"
"""Value of ``spec.gang`` of jobs whose pods are placed one by one."""
GANGS: dict[str, Gang] = {gang.name: gang for gang in (Coscheduling(), Volcano(), Workload())}
"""The gang schedulers by the value of ``spec.gang``."""
