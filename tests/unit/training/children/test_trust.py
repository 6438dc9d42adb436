"""Who gets the keys that sign and encrypt an archive."""

from typing import Any

from slipway.training.children.trust import Trained, lineage
from tests.unit.training.simulation import PACKAGE, Cluster, spec, trained, training_job

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


def test_a_key_is_one_of_its_secrets_and_no_other() -> None:
    volumes = {each["name"]: each for each in packaging_pod()["volumes"]}
    assert volumes["slipway-key-signature"]["secret"] == {
        "secretName": "signer",
        "items": [{"key": "private", "path": "private.pem"}],
        "optional": True,
    }
