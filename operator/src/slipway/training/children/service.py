"""The headless Service that gives each pod of a group its stable DNS name."""

from slipway.api import TrainingJob
from slipway.manifests import COMPONENT, TRAINING_JOB, child
from slipway.plan import Manifest
from slipway.training.children import names


def headless_service(job: TrainingJob) -> Manifest | None:
    """Return the Service; None for a single pod, which meets itself on localhost.

    Addresses are published before the pods are ready: they meet in order to become so.
    """
    if job.spec.most_nodes == 1:
        return None
    return {
        **child(job, "v1", "Service", names.train_name(job), names.TRAINER),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {TRAINING_JOB: job.metadata.name, COMPONENT: names.TRAINER},
            "ports": [
                {
                    "name": "rendezvous",
                    "port": names.RENDEZVOUS_PORT,
                    "targetPort": names.RENDEZVOUS_PORT,
                    "protocol": "TCP",
                }
            ],
        },
    }
