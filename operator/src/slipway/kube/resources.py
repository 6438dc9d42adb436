"""The kinds that the operator deals with, and their places in the API."""

from dataclasses import dataclass

from slipway.api.base import API_VERSION
from slipway.gangs import GANGS
from slipway.manifests import MANAGED_BY, MANAGER
from slipway.plan import ObjectRef


@dataclass(frozen=True)
class Resource:
    """One namespaced kind: ``api_version`` is ``v1`` or ``group/version``."""

    api_version: str
    kind: str
    plural: str

    @property
    def group(self) -> str:
        """The API group; empty for the core."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version within the group."""
        return self.api_version.rpartition("/")[2]

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Return the URL path of an object, or of the collection; no namespace means all."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if namespace else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{scope}/{self.plural}{tail}"


TRAINING_JOBS = Resource(API_VERSION, "TrainingJob", "trainingjobs")
MODEL_DEPLOYMENTS = Resource(API_VERSION, "ModelDeployment", "modeldeployments")
LEASES = Resource("coordination.k8s.io/v1", "Lease", "leases")
EVENTS = Resource("events.k8s.io/v1", "Event", "events")
CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")
SECRETS = Resource("v1", "Secret", "secrets")
NAMESPACES = Resource("v1", "Namespace", "namespaces")
"""Read one by one, for what its administrator says of the pods in it."""

OWN = (TRAINING_JOBS, MODEL_DEPLOYMENTS)
"""The kinds that users write."""

CHILDREN = (
    Resource("batch/v1", "Job", "jobs"),
    Resource("v1", "Pod", "pods"),
    Resource("v1", "Service", "services"),
    CONFIG_MAPS,
    Resource("apps/v1", "Deployment", "deployments"),
    Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
)
"""The kinds that the operator makes and watches by ``CHILD_SELECTOR``."""

JOBS, PODS = (tuple(one for one in CHILDREN if one.kind == kind) for kind in ("Job", "Pod"))

GANG_OBJECTS = tuple(Resource(gang.api_version, gang.kind, gang.plural) for gang in GANGS.values())
"""The kinds of gang schedulers, where a cluster has them; the operator makes them unwatched."""

WATCHED = OWN + CHILDREN
CHILD_SELECTOR = f"{MANAGED_BY}={MANAGER}"
"""Label selector of the watches on children: only what the operator made."""

_BY_KIND = {
    (r.api_version, r.kind): r
    for r in (*WATCHED, *GANG_OBJECTS, SECRETS, NAMESPACES, LEASES, EVENTS)
}


def resource_of(ref: ObjectRef) -> Resource:
    """Return the resource of a reference; raises KeyError for a kind that nobody plans."""
    return _BY_KIND[ref.api_version, ref.kind]
