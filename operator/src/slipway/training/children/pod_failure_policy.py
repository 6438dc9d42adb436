"""What a training Job says of failing pods: which end it, which are replaced, which do not count.

Under the policies Group and Never the first pod that fails ends the Job, and Kubernetes stops the
others at once, even while the operator is away: no survivor waits in a dead collective. What
follows is the operator's word; see `slipway.training.stages.restart`. Under the policy Pod, and in
elastic jobs, Kubernetes replaces the pods. Source:
https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
"""

from typing import Any

from slipway.api import TrainingJob
from slipway.api.training.life import RestartRule
from slipway.training.children import names
from slipway.training.children.names import OWN_STOPPED_CODE, STOPPED_CODE

_ACTIONS = {"Restart": "Count", "RestartAndIgnoreMaxRestarts": "Ignore", "Fail": "FailJob"}


def failure_fields(job: TrainingJob) -> dict[str, Any]:
    """Return the Job's fields about failing pods.

    A pod's replacement waits until the pod before it is gone, so that an index' DNS name never
    means two pods.
    """
    return {
        "backoffLimit": backoff_limit(job),
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": _rules(job)},
    }


def backoff_limit(job: TrainingJob) -> int:
    """Return the Job's backoffLimit, in failed pods.

    Where pods are replaced one by one, a failure of one may fail each of its peers as well.
    """
    if job.spec.restart_policy != "Pod":
        return 0
    elastic = job.spec.elastic
    tries = max(job.spec.max_restarts, elastic.max_restarts) if elastic else job.spec.max_restarts
    return tries * job.spec.most_nodes


def _rules(job: TrainingJob) -> list[dict[str, Any]]:
    """Return the podFailurePolicy's rules.

    A Job that one failure ends says by the rule that matched that it was a disruption, for the pod
    itself is gone by then. No such rule may name the exit code of a stopped program: the pods of a
    Job that is being suspended have it too. Where pods are replaced one by one, what was taken away
    or told to stop is no matter of the rules about exit codes.
    """
    if job.spec.restart_policy != "Pod":
        return [disrupted("FailJob")]
    rules = job.spec.restart_rules
    taken = [disrupted(_ACTIONS[rule.action]) for rule in rules if rule.on_disruption]
    stopped = [disrupted("Ignore"), _exit("Ignore", "In", [STOPPED_CODE])]
    return [*taken, *stopped, *_by_code(rules)]


def _by_code(rules: list[RestartRule]) -> list[dict[str, Any]]:
    chosen = [(rule.on_exit_codes, _ACTIONS[rule.action]) for rule in rules]
    return [
        _exit(action, codes.operator, sorted(map(_container_code, codes.values)))
        for codes, action in chosen
        if codes is not None
    ]


def _container_code(code: int) -> int:
    """Return the code of a trainer container whose program ends with a code by its own doing."""
    return OWN_STOPPED_CODE if code == STOPPED_CODE else code


def disrupted(action: str) -> dict[str, Any]:
    """Return a rule for pods that the cluster took away."""
    return {"action": action, "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


def _exit(action: str, operator: str, values: list[int]) -> dict[str, Any]:
    codes = {"containerName": names.TRAINER, "operator": operator, "values": values}
    return {"action": action, "onExitCodes": codes}
