"""The headless Service that gives each pod of a group its stable DNS name."""

from slipway.api import TrainingJob
from slipway.manifests import COMPONENT, TRAINING_JOB, child
from slipway.plan import Children, Delete, Manifest, ObjectRef
from slipway.training import names
from slipway.training.phase import is_finished
from slipway.training.view import JobView


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


def needless(job: TrainingJob, training: JobView | None, children: Children) -> tuple[Delete, ...]:
    """Return the deletion of the Service once the training is over for good.

    Two of Kubernetes' controllers try the selectors of all Services of a namespace at every change
    of a pod there: jobs that have ended would slow down those that run.
    """
    over = bool(job.status.output) or is_finished(job.status.conditions)
    if not over or (training is not None and not training.finished):
        return ()
    found = children.get("v1", "Service", job.metadata.namespace, names.train_name(job))
    if found is None:
        return ()
    return (Delete(ObjectRef.of(found), found["metadata"]["uid"]),)
