"""Pods that a real API server refuses are told in its own words, and made once it takes them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.operator import play
from tests.contract.operator.conftest import SharedOperator
from tests.contract.operator.kubelet import Begin, Kubelet
from tests.contract.operator.process import OperatorProcess
from tests.harness import Kubectl, KubectlError, Object, TestControlPlane
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.contract, pytest.mark.usefixtures("controllers")]

TOLD_SECONDS = 120
"""A condition tells within 10 s what the API server says; the machine may be busy."""
PACKAGE = {"serializedFile": "model.pt", "handler": "handler.py"}
ENFORCE = "pod-security.kubernetes.io/enforce"
ESCALATING = {
    "spec": {
        "containers": [
            {
                "name": "extra",
                "image": "extra:1",
                "securityContext": {"allowPrivilegeEscalation": True},
            }
        ]
    }
}
"""More than Pod Security's restricted level, which the operator's fence holds."""
HOST_NETWORK = {"spec": {"hostNetwork": True}}


def _object(kind: str, spec: Object) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "team"}, "spec": spec}


def _set_quota(kubectl: Kubectl, **hard: str) -> None:
    """Set a quota; its status is what a controller that does not run here would say."""
    if kubectl.get("resourcequotas", "team") is None:
        kubectl.create(_object("ResourceQuota", {"hard": hard}))
    said = {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}}
    patch = ("patch", "resourcequota", "team", "--subresource=status", "--type=merge", "-p")
    kubectl.run(*patch, json.dumps(said))


def _told(job: Kubelet, type_: str, word: str, reason: str = "PodsRefused") -> None:
    def probe() -> Object | None:
        status = (job.kubectl.get("tj", job.name) or {}).get("status") or {}
        found = [one for one in status.get("conditions") or () if one["type"] == type_]
        told = found and found[0]["reason"] == reason and word in found[0]["message"]
        return status if told else None

    status = wait_for(probe, TOLD_SECONDS, f"{type_} tells {word}", job.report)
    assert status["reason"] == reason


def test_a_quota_that_refuses_pods_is_told_and_its_end_lets_them_run(
    begin: Begin, kubectl: Kubectl
) -> None:
    _set_quota(kubectl, pods="0")
    job = begin(activeDeadlineSeconds=600)
    _told(job, "Running", "exceeded quota: team", reason="QuotaExceeded")
    live = play.wait_object(kubectl, "job", "job-train")
    assert "activeDeadlineSeconds" not in live["spec"]
    kubectl.delete("resourcequotas", "team")
    job.run()
    job.phase("Running")


def test_a_quota_that_refuses_the_job_itself_is_told_and_is_no_fault_of_the_operators(
    begin: Begin, kubectl: Kubectl, shared_operator: SharedOperator
) -> None:
    _set_quota(kubectl, **{"count/jobs.batch": "0"})
    job = begin()
    _told(job, "Stalled", "exceeded quota: team", reason="QuotaExceeded")

    def event() -> bool:
        return any(one["reason"] == "QuotaExceeded" for one in kubectl.list("events"))

    wait_for(event, TOLD_SECONDS, "an event tells of the quota", job.report)
    kubectl.delete("resourcequotas", "team")
    kubectl.run("annotate", "tj", job.name, "again=now")
    job.run()
    job.phase("Running")


def test_a_limit_range_that_refuses_the_packaging_pod_is_told(
    begin: Begin, kubectl: Kubectl
) -> None:
    job = begin(package=PACKAGE)
    pods = job.run()
    job.phase("Running")
    smallest: dict[str, Any] = {"limits": [{"type": "Container", "max": {"memory": "1Mi"}}]}
    kubectl.create(_object("LimitRange", smallest))
    job.end(pods)
    _told(job, "Packaged", "maximum memory usage per Container")


def _labelled(kubectl: Kubectl, level: str) -> None:
    kubectl.run("label", "namespace", kubectl.namespace, "--overwrite", f"{ENFORCE}={level}")


def test_pods_beyond_what_the_operators_fence_allows_are_told_as_refused(
    start_operator: Callable[..., OperatorProcess],
    shared_operator: SharedOperator,
    kubectl: Kubectl,
) -> None:
    shared_operator.end()
    start_operator(
        SLIPWAY_LEADER_ELECTION="false", SLIPWAY_POD_SECURITY="privileged"
    ).wait_until_ready()
    _labelled(kubectl, "restricted")
    kubectl.create([play.source(), play.training_job(podTemplate=ESCALATING)])
    word = "restricted Pod Security Standard"
    _told(Kubelet(kubectl, "job"), "Stalled", word, reason="InvalidChild")


def test_a_pod_template_that_makes_a_job_invalid_is_for_its_author(
    begin: Begin, shared_operator: SharedOperator
) -> None:
    odd = {"spec": {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}}
    job = begin(podTemplate=odd)
    _told(job, "Stalled", "tolerations", reason="ApplyRejected")


POLICY: Object = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "cost-centre"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": ["batch"],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["jobs"],
                }
            ]
        },
        "validations": [{"expression": "false", "message": "name a cost centre"}],
    },
}


def test_what_a_policy_of_the_cluster_refuses_is_for_the_author(
    begin: Begin, kubectl: Kubectl, control_plane: TestControlPlane
) -> None:
    admin = control_plane.kubectl
    only = {"matchLabels": {"kubernetes.io/metadata.name": kubectl.namespace}}
    binding = {
        **POLICY,
        "kind": "ValidatingAdmissionPolicyBinding",
        "spec": {
            "policyName": "cost-centre",
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": only},
        },
    }
    try:
        admin.apply([POLICY, binding])
        wait_for(lambda: _is_denied(kubectl), TOLD_SECONDS, "the API server knows the policy")
        job = begin()
        _told(job, "Stalled", "name a cost centre", reason="ApplyRejected")
    finally:
        for one in (binding, POLICY):
            admin.run("delete", "--ignore-not-found", one["kind"], "cost-centre")


def _is_denied(kubectl: Kubectl) -> bool:
    """Tell whether a Job is refused that anybody makes."""
    try:
        kubectl.run("create", "job", "probe", "--image=probe", "--dry-run=server")
    except KubectlError:
        return True
    return False


def test_an_overlay_beyond_the_standard_ends_its_job(begin: Begin) -> None:
    job = begin(podTemplate=HOST_NETWORK)
    job.wait("Failed", "True:PodTemplateForbidden")
    assert job.status()["reason"] == "PodTemplateForbidden"
    assert job.uid() == ""


def test_the_label_of_a_namespace_lets_its_pod_templates_ask_for_more(
    begin: Begin, kubectl: Kubectl
) -> None:
    _labelled(kubectl, "privileged")
    begin(podTemplate=HOST_NETWORK)
    live = play.wait_object(kubectl, "job", "job-train")
    assert live["spec"]["template"]["spec"]["hostNetwork"] is True
