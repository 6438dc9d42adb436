"""Who may reach a job's pods: they each other, and their metrics the operator and monitoring.

Whatever opens a distributed training (the rendezvous, which unpickles what it is told, the store of
torch.distributed, Gloo, NCCL) asks nobody who they are. So the network has to.
"""

from slipway.api import TrainingJob
from slipway.manifests import COMPONENT, TRAINING_JOB
from slipway.network import network_policy, obsolete_policy, pods_with, tcp, watchers
from slipway.plan import Children, Delete, Manifest
from slipway.settings import Settings
from slipway.training.children import names


def job_policy(job: TrainingJob, settings: Settings) -> tuple[Manifest, ...]:
    """Return the policy of all pods of a job; none where policies are switched off.

    The packaging pod is one of them, and listens to nobody.
    """
    if not settings.network_policies:
        return ()
    mine = {TRAINING_JOB: job.metadata.name}
    rules = (
        {"from": [pods_with({**mine, COMPONENT: names.TRAINER})]},
        {"from": watchers(settings), "ports": [tcp(names.METRICS_PORT)]},
    )
    return (network_policy(job, names.train_name(job), names.TRAINER, mine, rules),)


def obsolete(job: TrainingJob, settings: Settings, children: Children) -> tuple[Delete, ...]:
    """Return the deletion of a policy that was switched off."""
    return obsolete_policy(job, names.train_name(job), settings, children)
