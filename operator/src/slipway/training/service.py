"""The headless Service that gives each pod of a group its stable DNS name."""

from slipway.api import TrainingJob
from slipway.manifests import COMPONENT, TRAINING_JOB, child
from slipway.plan import Children, Delete, Manifest, ObjectRef, Plan
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


def needless(
    job: TrainingJob, planned: Plan, training: JobView | None, children: Children
) -> tuple[Delete, ...]:
    """Return the deletion of the Service once a plan says that the training is over for good.

    Kubernetes tries the selectors of all Services of a namespace when a pod there is placed and at
    its changes: jobs that have ended would slow down those that run.
    """
    over = bool((planned.status or {}).get("output")) or is_finished(job.status.conditions)
    goes = any(gone.ref.kind == job.kind for gone in planned.delete)
    if not over or goes or (training and not (training.finished and training.idle)):
        return ()
    found = children.get("v1", "Service", job.metadata.namespace, names.train_name(job))
    if found is None:
        return ()
    return (Delete(ObjectRef.of(found), found["metadata"]["uid"]),)
