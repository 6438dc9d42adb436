"""The Service that users reach; it leads to Envoy's listener and to nothing else."""

from slipway.api import ModelDeployment
from slipway.manifests import child
from slipway.plan import Manifest
from slipway.serving import names
from slipway.serving.slots import Slot


def service(deployment: ModelDeployment, active: Slot) -> Manifest:
    """Return the Service that users reach, in front of the slot that serves them."""
    wanted = deployment.spec.expose.service
    port = {
        "name": "http",
        "port": wanted.port,
        "targetPort": "http",
        "protocol": "TCP",
        "appProtocol": "http",
    }
    spec = {
        "type": wanted.type,
        "selector": names.selector(deployment, active.track),
        "ports": [port],
    }
    return {
        **child(deployment, "v1", "Service", deployment.metadata.name, names.SERVER),
        "spec": spec,
    }
