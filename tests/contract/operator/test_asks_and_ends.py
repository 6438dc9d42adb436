"""What a TrainingJob asks of others: queues, gangs, devices, places; and what stays at its end.

The kinds of schedulers that are not installed are as much of them as an API server knows.
"""

import json
import re
from typing import Any

import pytest

from tests.contract.operator import play
from tests.contract.operator.conftest import SharedOperator
from tests.contract.operator.kubelet import Begin, finish, package
from tests.harness import Kubectl, TestControlPlane
from tests.harness.waiting import wait_for

pytestmark = [
    pytest.mark.contract,
    pytest.mark.usefixtures("controllers"),
    pytest.mark.own_control_plane("kinds of gangs are missing at first"),
]


def pod_groups(group: str, version: str) -> dict[str, Any]:
    """Return the kind PodGroup of a scheduler."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"podgroups.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, of a test"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "PodGroup", "plural": "podgroups", "singular": "podgroup"},
            "versions": [{**served, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def test_a_queue_releases_the_job_and_what_it_adds_survives(begin: Begin) -> None:
    job = begin(queueName="team")
    live = play.wait_object(job.kubectl, "job", "job-train")
    assert live["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"
    job.wait("Queued", "True:WaitingForAdmission")
    flavour = '{"template":{"spec":{"nodeSelector":{"flavour":"a100"}}}}'
    patch = ("patch", "job", "job-train", "--type=merge", "-p")
    job.kubectl.run(*patch, f'{{"spec":{flavour}}}')
    job.kubectl.run(*patch, '{"spec":{"suspend":false}}')
    job.run()
    job.phase("Running")
    live = job.kubectl.get("job", "job-train") or {}
    assert live["spec"]["template"]["spec"]["nodeSelector"] == {"flavour": "a100"}
    job.change(suspend=True)
    job.leave(2)
    job.phase("Suspended")
    wait_for(lambda: job.uid() == "", 120, "the Job is gone", job.report)
    job.change(suspend=False)
    job.wait("Queued", "True:WaitingForAdmission")


def test_kubernetes_own_workload_binds_all_pods_of_a_group(begin: Begin) -> None:
    job = begin(gang="Workload")
    workload = play.wait_object(job.kubectl, "workload.scheduling.k8s.io", "job-train")
    assert workload["spec"]["podGroups"][0]["policy"] == {"gang": {"minCount": 2}}
    assert len(job.run()) == 2
    for pod in job.pods():
        reference = {"name": "job-train", "podGroup": workload["spec"]["podGroups"][0]["name"]}
        assert pod["spec"]["workloadRef"] == reference


@pytest.mark.parametrize(
    ("gang", "group", "version"),
    [
        ("Volcano", "scheduling.volcano.sh", "v1beta1"),
        ("Coscheduling", "scheduling.x-k8s.io", "v1alpha1"),
    ],
)
def test_a_gang_waits_for_its_kind_and_is_written_once_it_is_there(
    gang: str, group: str, version: str, begin: Begin
) -> None:
    job = begin(gang=gang)
    job.wait("Created", "False:GangKindNotFound")
    message = next(one for one in job.status()["conditions"] if one["type"] == "Created")
    assert f"The cluster has no kind PodGroup of {group}/{version}" in message["message"]
    assert job.uid() == ""
    job.kubectl.apply(pod_groups(group, version))
    made = play.wait_object(job.kubectl, f"podgroup.{group}", "job-train")
    assert made["spec"] == {"minMember": 2}
    assert made["metadata"]["ownerReferences"][0]["name"] == "job"
    assert len(job.run()) == 2
    (meta, spec) = (job.pods()[0]["metadata"], job.pods()[0]["spec"])
    if gang == "Volcano":
        assert meta["annotations"]["scheduling.k8s.io/group-name"] == "job-train"
        assert spec["schedulerName"] == "volcano"
    else:
        assert meta["labels"]["scheduling.x-k8s.io/pod-group"] == "job-train"


def test_claims_places_and_classes_reach_every_pod(
    begin: Begin, control_plane: TestControlPlane
) -> None:
    control_plane.kubectl.apply(
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": "urgent"},
            "value": 1000,
        }
    )
    claim = {"name": "gpu", "resourceClaimTemplateName": "one-gpu"}
    toleration = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    job = begin(
        resourceClaims=[claim],
        exclusiveTopologyKey="rack",
        priorityClassName="urgent",
        nodeSelector={"disk": "fast"},
        tolerations=[toleration],
        topologySpread=[{"topologyKey": "zone"}],
    )
    uid = job.kubectl.get("tj", "job")["metadata"]["uid"]  # type: ignore[index]
    job.run()
    for pod in job.pods():
        spec, (trainer,) = pod["spec"], pod["spec"]["containers"]
        assert spec["resourceClaims"] == [claim]
        assert trainer["resources"]["claims"] == [{"name": "gpu"}]
        assert spec["priority"] == 1000
        assert spec["nodeSelector"] == {"disk": "fast"}
        assert toleration in spec["tolerations"]
        assert spec["topologySpreadConstraints"][0]["topologyKey"] == "zone"
        for kind in ("podAffinity", "podAntiAffinity"):
            (term,) = spec["affinity"][kind]["requiredDuringSchedulingIgnoredDuringExecution"]
            assert term["topologyKey"] == "rack"
        assert pod["metadata"]["labels"]["slipway.dev/exclusive-to"] == uid


def test_an_exit_code_that_a_rule_calls_final_ends_the_job_though_restarts_are_left(
    begin: Begin,
) -> None:
    rule = {"onExitCodes": {"values": [42]}, "action": "Fail"}
    job = begin(restart={"maxRestarts": 3, "rules": [rule]})
    names = job.run()
    job.phase("Running")
    job.end(names[:1], 42, reason="ScriptFailed", exitCode=42, message="Rank 0 died.")
    job.leave(1)
    status = job.phase("Failed")
    assert status["failure"]["exitCode"] == 42
    assert status.get("restarts", 0) == 0


def test_a_disruption_counts_where_a_rule_says_so(begin: Begin) -> None:
    rule = {"onDisruption": True, "action": "Fail"}
    job = begin(restart={"maxRestarts": 3, "rules": [rule]})
    names = job.run()
    job.phase("Running")
    job.evict(names[1])
    job.leave(2)
    assert job.phase("Failed")["failure"]["disruption"] is True


@pytest.mark.parametrize(("policy", "left"), [("All", 0), ("None", 2)])
def test_pods_stay_or_go_at_the_end_as_is_asked_for(policy: str, left: int, begin: Begin) -> None:
    job = begin(cleanPodPolicy=policy, package=None)
    job.end(job.run())
    job.phase("Succeeded")
    wait_for(lambda: len(job.pods()) == left, 120, f"{left} pods are left", job.report)
    wait_for(lambda: bool(job.uid()) == bool(left), 120, "their Job goes with them", job.report)


def test_a_packaging_job_that_somebody_deletes_is_made_again(begin: Begin) -> None:
    job = begin()
    job.end(job.run())
    play.wait_object(job.kubectl, "job", "job-package")
    job.phase("Packaging")
    uid = job.uid("package")
    job.kubectl.delete("job", "job-package")
    wait_for(lambda: job.uid("package") not in ("", uid), 120, "it is made again", job.report)
    package(job)


def test_a_deployment_takes_the_archive_that_is_packaged_anew(
    begin: Begin, kubectl: Kubectl
) -> None:
    job = begin()
    kubectl.create(play.model_deployment(model={"trainingJob": {"name": "job"}}))
    finish(job, job.run())

    def serves(archive: str) -> None:
        def told() -> bool:
            return f"/{archive}" in json.dumps(kubectl.get("deployment", "model"))

        wait_for(told, 120, f"the pods are to serve {archive}", job.report)

    serves("job-1.0.mar")
    before = job.uid("package")
    job.change(package={"repeat": 1})
    wait_for(lambda: job.uid("package") not in ("", before), 120, "another packaging", job.report)
    package(job)
    serves("job-1.1.mar")
    revisions = {one["metadata"]["name"] for one in kubectl.list("configmaps")}
    assert len([name for name in revisions if re.fullmatch("model-[0-9a-f]{10}", name)]) == 2


def test_an_operator_that_begins_after_the_end_packages_anew_and_removes_what_is_to_go(
    begin: Begin, shared_operator: SharedOperator
) -> None:
    changed, unwanted = begin("changed"), begin("unwanted")
    for job in (changed, unwanted):
        finish(job, job.run())
    before = changed.uid("package")
    shared_operator.end()
    shared_operator.ensure()
    changed.change(package={"repeat": 1})
    unwanted.change(cleanPodPolicy="All")
    wait_for(lambda: changed.uid("package") not in ("", before), 120, "another packaging")
    package(changed)
    wait_for(lambda: not unwanted.uid() + unwanted.uid("package"), 120, "no Job is left")


def test_a_spec_that_changes_after_the_end_starts_nothing(begin: Begin) -> None:
    job = begin()
    finish(job, job.run())
    jobs = (job.uid(), job.uid("package"))
    ended = job.status()
    job.change(suspend=True, backoffLimit=5, ttlSecondsAfterFinished=86_400)
    wait_for(
        lambda: job.status()["observedGeneration"] == 2, 120, "the change is observed", job.report
    )
    assert {**job.status(), "observedGeneration": 1} == ended
    assert (job.uid(), job.uid("package")) == jobs


@pytest.mark.parametrize("moment", ["queued", "restarting", "packaging"])
def test_a_job_that_is_deleted_takes_all_along_whatever_it_does(
    moment: str, begin: Begin, kubectl: Kubectl
) -> None:
    job = begin(restart={"maxRestarts": 1})
    if moment == "packaging":
        job.end(job.run())
        play.wait_object(kubectl, "job", "job-package")
    elif moment == "restarting":
        names = job.run()
        job.phase("Running")
        job.end(names[:1], 1, reason="ScriptFailed", exitCode=1, message="Rank 0 died.")
        job.leave(1)
        job.wait("Restarting", "True:ScriptFailed")
    else:
        play.wait_object(kubectl, "job", "job-train")
    kubectl.delete("tj", "job", wait=False)

    def gone() -> bool:
        for pod in kubectl.list("pods"):
            job.stop(pod["metadata"]["name"])
        return not any(kubectl.list(kind) for kind in ("tj", "jobs", "services", "pods"))

    wait_for(gone, 180, "all is gone", job.report)
