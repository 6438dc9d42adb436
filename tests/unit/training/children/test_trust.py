"""Who gets the keys that sign and encrypt an archive."""

from typing import Any

from slipway.training.children.trust import Trained, lineage
from tests.unit.training.simulation import (
    PACKAGE,
    SETTINGS,
    Cluster,
    condition,
    spec,
    trained,
    training_job,
    underway,
)

KEYS = {
    "sign": {"keySecretRef": {"name": "signer", "key": "private"}},
    "encrypt": {"keySecretRef": {"name": "archives", "key": "keyset"}},
}


def packaging_pod(**fields: Any) -> dict[str, Any]:
    """Return the packaging pod's spec of a job whose archive is signed and encrypted."""
    cluster = Cluster(spec(package={**PACKAGE, **KEYS}, **fields))
    cluster.settle()
    cluster.finish_all(message=trained())
    cluster.settle()
    made = cluster.job("package")
    assert made is not None
    found: dict[str, Any] = made["spec"]["template"]["spec"]
    return found


def test_the_keys_are_in_the_packagers_container_alone_which_is_the_operators_own() -> None:
    pod = packaging_pod(image="registry.example/team/train:7", source={"image": {"path": "/app"}})
    keys = {each["name"] for each in pod["volumes"] if each["name"].startswith("slipway-key-")}
    assert keys == {"slipway-key-signature", "slipway-key-encryption"}
    holders = [
        container
        for container in (*pod["initContainers"], *pod["containers"])
        if keys & {mount["name"] for mount in container["volumeMounts"]}
    ]
    assert [one["name"] for one in holders] == ["packager"]
    assert "team/train" not in holders[0]["image"]
    assert holders[0]["command"] == ["python3", "-I", "-m", "slipway_pods.package.package"]
    assert not pod.get("shareProcessNamespace")


def test_the_jobs_labels_are_recorded_up_to_a_bound() -> None:
    job = training_job(spec())
    many = {f"example.com/{number:03}": str(number) for number in range(100)}
    labels = {"gitCommit": "0123abc", "team": "vision"}
    for given, wanted in ((labels, labels), (many, dict(sorted(many.items())[:64]))):
        meta = job.metadata.model_copy(update={"labels": given})
        made = lineage(job.model_copy(update={"metadata": meta}), Trained("image:1"))
        assert made["labels"] == wanted
    assert "labels" not in lineage(job, Trained("image:1"))


MISSING = 'secret "signer" not found'


def waiting_for_keys() -> Cluster:
    cluster = Cluster(spec(package={**PACKAGE, **KEYS}), missing_key=MISSING)
    cluster.settle()
    return cluster


def test_a_missing_key_is_told_before_the_training_which_waits_for_it() -> None:
    cluster = waiting_for_keys()
    assert cluster.job() is None
    told = condition(cluster, "Created")
    assert (told["status"], told["reason"]) == ("False", "SecretNotFound")
    assert "the Secret signer, or a key of it: create it" in told["message"]
    assert (cluster.status["phase"], cluster.status["reason"]) == ("Pending", "SecretNotFound")
    assert [event[:2] for event in cluster.events] == [("Warning", "SecretNotFound")]
    written = len(cluster.writes)
    cluster.wait(3600)
    cluster.settle()
    assert len(cluster.writes) == written, "waiting costs no writes"
    cluster.missing_key = ""
    cluster.settle()
    assert cluster.job() is not None
    assert cluster.job("keys") is None, "what waited goes"
    assert cluster.status["phase"] == "Queued"


def test_other_keys_are_waited_for_once_the_spec_names_others() -> None:
    cluster = waiting_for_keys()
    cluster.change(package={**PACKAGE, "sign": {"keySecretRef": {"name": "other", "key": "k"}}})
    cluster.settle()
    made = cluster.job("keys")
    assert made is not None
    (container,) = made["spec"]["template"]["spec"]["containers"]
    references = [each["valueFrom"]["secretKeyRef"] for each in container["env"]]
    assert references == [{"name": "other", "key": "k"}]
    cluster.change(package=PACKAGE)
    cluster.settle()
    assert cluster.job("keys") is None
    assert cluster.job() is not None


def test_the_pod_that_needs_the_keys_runs_no_code_of_a_users() -> None:
    made = waiting_for_keys().job("keys")
    assert made is not None
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == SETTINGS.trainer_image
    assert container["command"] == ["python3", "-I", "-c", "pass"]
    assert not {"volumes", "initContainers"} & pod.keys()
    assert pod["automountServiceAccountToken"] is False


def test_no_pod_is_made_for_a_key_that_is_the_operators_own() -> None:
    own = {"keySecretRef": {"name": "slipway-store", "key": "AWS_SECRET_ACCESS_KEY"}}
    cluster = Cluster(spec(package={**PACKAGE, "sign": own}))
    cluster.settle()
    assert condition(cluster, "Failed")["reason"] == "SecretForbidden"
    assert "apply Job" not in cluster.writes


def test_a_restart_of_the_group_does_not_look_for_the_keys_again() -> None:
    cluster = underway(package={**PACKAGE, **KEYS}, restart={"maxRestarts": 1})
    cluster.missing_key = MISSING
    cluster.finish(cluster.pods()[0], 3, {"reason": "ScriptFailed", "exitCode": 3})
    cluster.settle()
    cluster.wait(3600)
    cluster.settle()
    assert cluster.status["attempt"] == 1
    assert cluster.job() is not None
    assert cluster.job("keys") is None


def test_a_job_without_keys_has_no_pod_that_waits_for_any() -> None:
    cluster = Cluster(spec(package=PACKAGE))
    cluster.reconcile()
    assert cluster.job() is not None
    assert cluster.job("keys") is None


def test_a_job_that_is_suspended_before_its_keys_are_there_trains_when_it_is_resumed() -> None:
    cluster = waiting_for_keys()
    cluster.change(suspend=True)
    cluster.settle()
    cluster.missing_key = ""
    cluster.settle()
    assert cluster.job() is None
    cluster.change(suspend=False)
    cluster.settle()
    assert cluster.job() is not None


def test_a_key_is_one_of_its_secrets_and_no_other() -> None:
    volumes = {each["name"]: each for each in packaging_pod()["volumes"]}
    assert volumes["slipway-key-signature"]["secret"] == {
        "secretName": "signer",
        "items": [{"key": "private", "path": "private.pem"}],
        "optional": True,
    }
