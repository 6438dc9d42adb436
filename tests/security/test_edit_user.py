"""Who has the role ``edit`` in one namespace: Secrets, pods, Jobs and whatever names an owner."""

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slipway.accounts.names import AccountName
from tests.contract.operator import play
from tests.harness import KubectlError, Object
from tests.harness.waiting import wait_for
from tests.security.stage import ATTACKER, VICTIM, Stage, held, reasons, training_job
from tests.unit.accounts.conftest import S3

pytestmark = pytest.mark.contract
SECRET = "slipway-store"


def test_the_key_in_ones_own_namespace_opens_that_namespace_alone(scene: Stage) -> None:
    mine, theirs = scene.buckets[ATTACKER], scene.buckets[VICTIM]
    with scene.victim_is_unharmed():
        client = S3(scene.store, held(scene.edit_user))
        assert client.put(mine, "outputs/attacker/x") == ""
        assert client.get(theirs, scene.model) == "AccessDenied"
        assert client.put(theirs, scene.model, b"EVIL") == "AccessDenied"
        assert client.list(theirs) == "AccessDenied"
        assert client.put("slipway", "shared/x") == "AccessDenied"


def forged_keys(scene: Stage) -> dict[str, dict[str, str]]:
    """Return what an attacker may write into the Secret, by what it is meant to do."""
    theirs, mine = held(scene.victim), held(scene.admin)
    access = "AWS_ACCESS_KEY_ID"
    name = AccountName.of(mine[access])
    return {
        "the victim's account": {access: theirs[access]},
        "the store's root": {access: "key", "AWS_SECRET_ACCESS_KEY": "guessed"},
        "a moment that no calendar has": {access: f"{name.namespace}.{name.short_uid}.ffffffffff"},
        "an account of tomorrow": {
            access: str(AccountName(name.namespace, name.short_uid, _tomorrow()))
        },
        "no account": {access: "../../etc/passwd"},
    }


def _tomorrow() -> int:
    return int(datetime.now(UTC).timestamp()) + 86400


FORGED = (
    "the victim's account",
    "the store's root",
    "a moment that no calendar has",
    "an account of tomorrow",
    "no account",
)


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_key_is_replaced_and_no_other_account_is_touched(scene: Stage, what: str) -> None:
    forged = {
        key: base64.b64encode(value.encode()).decode()
        for key, value in forged_keys(scene)[what].items()
    }
    before = held(scene.admin)
    name = f"forged-{FORGED.index(what)}"
    with scene.victim_is_unharmed():
        scene.edit_user.patch("secret", SECRET, {"data": forged})
        scene.edit_user.create(training_job(name))
        play.wait_object(scene.admin, "job", f"{name}-train")

        def mended() -> bool:
            found = held(scene.admin)
            access = AccountName.parse(found["AWS_ACCESS_KEY_ID"])
            return access is not None and access.namespace == ATTACKER and found != forged

        wait_for(mended, 180, "the Secret has an account of its own again")
    after = held(scene.admin)
    # Each further account of one second bears the next second's name.
    ahead = timedelta(minutes=1)
    assert AccountName.of(after["AWS_ACCESS_KEY_ID"]).made_at <= datetime.now(UTC) + ahead
    assert after["AWS_ENDPOINT_URL"] == before["AWS_ENDPOINT_URL"]
    client = S3(scene.store, after)
    assert client.put(scene.buckets[ATTACKER], "outputs/attacker/x") == ""
    assert client.get(scene.buckets[VICTIM], scene.model) == "AccessDenied"


def test_a_secret_without_the_operators_label_stops_only_its_own_namespace(scene: Stage) -> None:
    unlabelled = {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}
    labelled = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "slipway"}}}
    with scene.victim_is_unharmed():
        scene.edit_user.patch("secret", SECRET, unlabelled)
        scene.edit_user.create(training_job("unlabelled"))
        scene.victim.create(training_job("meanwhile", suspend=True))
        wait_for(
            lambda: (scene.victim.get("tj", "meanwhile") or {}).get("status"), 180, "it is seen"
        )
        scene.victim.delete("tj", "meanwhile")
        scene.edit_user.patch("secret", SECRET, labelled)


def owner(obj: Object) -> Object:
    """Return an entry of ownerReferences that names an object as the controller."""
    meta = obj["metadata"]
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }


def pod_like(victims: Object, name: str) -> Object:
    """Return a pod with the labels and the owner of somebody else's."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": victims["metadata"]["labels"],
            "ownerReferences": victims["metadata"]["ownerReferences"],
        },
        "spec": victims["spec"] | {"nodeName": None, "volumes": [], "tolerations": None},
    }


def bare(victims: Object) -> Object:
    """Return the spec of a pod with its containers' names alone."""
    secure: Any = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    names = [one["name"] for one in victims["spec"]["containers"]]
    return {"containers": [{"name": n, "image": "evil", "securityContext": secure} for n in names]}


def test_a_pod_that_calls_itself_another_namespaces_counts_for_nobody(scene: Stage) -> None:
    """Same labels, same owner by name and UID; its last word claims an output of its own."""
    (theirs,) = scene.victim.list("pod", "slipway.dev/training-job=busy")
    forged = {**pod_like(theirs, "forged"), "spec": bare(theirs)}
    with scene.victim_is_unharmed():
        scene.edit_user.create(forged)
        play.end_pod(scene.admin, "forged", 1, {"reason": "UserCodeFailed", "message": "EVIL"})
        scene.victim.patch("tj", "busy", {"metadata": {"annotations": {"look": "again"}}})
        scene.edit_user.create(training_job("marker", suspend=True))
        wait_for(lambda: reasons(scene.admin, "tj", "marker"), 180, "the operator has looked")
    assert (scene.victim.get("tj", "busy") or {})["status"]["phase"] == "Running"


def test_a_pod_with_ones_own_jobs_labels_but_no_owner_is_not_believed(scene: Stage) -> None:
    job = play.wait_object(scene.admin, "job", "own-train")
    labels = job["spec"]["template"]["metadata"]["labels"]
    meta = {"name": "unowned", "labels": {**labels, play.INDEX: "0"}}
    spec = bare({"spec": job["spec"]["template"]["spec"]})
    with scene.victim_is_unharmed():
        scene.edit_user.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        play.end_pod(scene.admin, "unowned", 1, {"reason": "UserCodeFailed", "message": "EVIL"})
        scene.edit_user.create(training_job("marker-2", suspend=True))
        wait_for(lambda: reasons(scene.admin, "tj", "marker-2"), 180, "the operator has looked")
    assert "EVIL" not in str((scene.admin.get("tj", "own") or {})["status"])


def _forged_job(scene: Stage, name: str, uri: str) -> Object:
    """Return a training Job in place of the operator's, whose agent was told another place."""
    made = play.wait_object(scene.admin, "job", "own-train")
    wanted = scene.admin.get("tj", name)
    assert wanted
    template = made["spec"]["template"]
    labels = {**template["metadata"]["labels"], "slipway.dev/training-job": name}
    for gone in ("controller-uid", "job-name"):
        labels = {key: value for key, value in labels.items() if not key.endswith(gone)}
    spec = template["spec"]
    agents = [
        {**one, "env": [{"name": "SLIPWAY_OUTPUT_URI", "value": uri}]}
        for one in spec["initContainers"]
    ]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{name}-train",
            "labels": {**made["metadata"]["labels"], "slipway.dev/training-job": name},
            "annotations": made["metadata"].get("annotations", {}),
            "ownerReferences": [owner(wanted)],
        },
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "completionMode": "Indexed",
            "template": {
                "metadata": {"labels": labels},
                "spec": {**spec, "initContainers": agents},
            },
        },
    }


def test_a_forged_job_leads_the_packager_to_no_other_namespace(scene: Stage) -> None:
    """The operator tells the packager where the output lies, as the training Job has it."""
    theirs = f"s3://{scene.buckets[VICTIM]}/models/victim/iris"
    job = play.training_job("stolen", nodes=1, suspend=True)
    with scene.victim_is_unharmed():
        scene.edit_user.create(job)
        wait_for(lambda: reasons(scene.admin, "tj", "stolen"), 180, "the operator has seen it")
        scene.edit_user.create(_forged_job(scene, "stolen", theirs))
        scene.edit_user.patch("tj", "stolen", {"spec": {"suspend": False}})
        forged = play.wait_object(scene.admin, "job", "stolen-train")
        (pod,) = play.make_pods(scene.admin, forged)
        play.end_pod(scene.admin, pod, 0, play.trained())
        play.complete_job(scene.admin, forged)

        def told() -> bool:
            found = reasons(scene.admin, "tj", "stolen")
            return "ForbiddenUri" in found or bool(scene.admin.get("job", "stolen-package"))

        wait_for(told, 180, "it is refused", lambda: str(scene.admin.get("tj", "stolen")))
    assert "ForbiddenUri" in reasons(scene.admin, "tj", "stolen")
    assert scene.admin.get("job", "stolen-package") is None


def forge_revision(scene: Stage, name: str) -> None:
    """Put another memory of what a deployment's pods are in place of its revision's ConfigMap."""
    selector = f"slipway.dev/model-deployment={name}"
    made = scene.edit_user.list("configmap", selector)
    (live,) = (one for one in made if "revision.json" in one["data"])
    record = json.loads(live["data"]["revision.json"])
    record["template"]["spec"]["hostNetwork"] = True
    meta = {key: live["metadata"][key] for key in ("name", "labels", "ownerReferences")}
    data = {**live["data"], "revision.json": json.dumps(record)}

    def replaced() -> bool:
        """Be faster than the operator, which makes it again."""
        with suppress(KubectlError):
            scene.edit_user.delete("configmap", meta["name"])
            scene.edit_user.create({**live, "metadata": meta, "data": data})
        found = scene.admin.get("configmap", meta["name"]) or {"data": {}}
        return bool(found["data"].get("revision.json") == data["revision.json"])

    wait_for(replaced, 180, "the revision is forged")


def revision(scene: Stage, name: str) -> str:
    """Return the revision of a deployment's pods."""
    made = play.wait_object(scene.admin, "deployment", name)
    return str(made["spec"]["template"]["metadata"]["labels"]["slipway.dev/revision"])


def test_a_forged_revision_makes_no_pod_that_a_spec_may_not_ask_for(scene: Stage) -> None:
    name = "remembered"
    with scene.victim_is_unharmed():
        scene.edit_user.create(play.model_deployment(name, rollout={"strategy": "BlueGreen"}))
        play.roll_out(scene.admin, name)
        wait_for(lambda: play.is_true(scene.admin, "Ready", name), 180, "it serves")
        before = revision(scene, name)
        forge_revision(scene, name)
        change = {"spec": {"server": {"responseTimeoutSeconds": 7}}}
        scene.edit_user.patch("modeldeployment", name, change)
        wait_for(lambda: revision(scene, name) != before, 180, "the next one comes in its place")
        made = scene.admin.get("deployment", name) or {}
        assert "hostNetwork" not in made["spec"]["template"]["spec"]
        scene.edit_user.delete("modeldeployment", name)


@pytest.mark.parametrize("kind", ["pod", "job"])
def test_nothing_is_written_into_another_namespace(scene: Stage, kind: str) -> None:
    with scene.victim_is_unharmed(), pytest.raises(KubectlError, match="forbidden"):
        scene.edit_user.run("delete", kind, "--all", "-n", VICTIM)


def test_the_namespaces_own_labels_are_not_the_users(scene: Stage) -> None:
    """They say which Pod Security level holds, and who may read the pods' metrics."""
    for label in ("pod-security.kubernetes.io/enforce=privileged", "slipway.dev/monitoring=true"):
        with scene.victim_is_unharmed(), pytest.raises(KubectlError, match="forbidden"):
            scene.edit_user.run("label", "namespace", ATTACKER, label)
