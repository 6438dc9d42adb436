"""Elastic groups: torchrun forms the group anew when pods come or go, between two bounds.

Indexed Jobs change their size in place (completions and parallelism together); the pods with the
highest indexes come and go, so index 0, which holds the rendezvous, stays.
"""

from typing import Any

from slipway.api import TrainingJob
from slipway.manifests import COMPONENT, TRAINING_JOB
from slipway.training.children import names


def launch(job: TrainingJob) -> dict[str, str]:
    """Return the launcher's variables about the size of the group: ``N``, or ``MIN:MAX``."""
    elastic = job.spec.elastic
    if elastic is None:
        return {"SLIPWAY_NODES": str(job.spec.nodes)}
    return {
        "SLIPWAY_NODES": f"{elastic.min_nodes}:{elastic.max_nodes}",
        "SLIPWAY_MAX_RESTARTS": str(elastic.max_restarts),
    }


def size(job: TrainingJob) -> dict[str, Any]:
    """Return the fields of a Job that say how many pods it has."""
    return {"completions": job.spec.nodes, "parallelism": job.spec.nodes}


def success(job: TrainingJob) -> dict[str, Any]:
    """Return an elastic Job's successPolicy; nothing for another Job.

    Index 0 is rank 0 and stores the output: when it has ended well the training is done, and a pod
    that has just come would wait for a group that does not form any more.
    """
    if job.spec.elastic is None:
        return {}
    return {"successPolicy": {"rules": [{"succeededIndexes": "0"}]}}


def selector(job: TrainingJob) -> str | None:
    """Return the label selector of an elastic job's pods, for the scale subresource."""
    if job.spec.elastic is None:
        return None
    return f"{TRAINING_JOB}={job.metadata.name},{COMPONENT}={names.TRAINER}"
