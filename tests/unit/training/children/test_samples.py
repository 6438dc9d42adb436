"""The packaging pod of an archive with samples: where the user's code runs is nothing to steal."""

import json
from typing import Any

from tests.unit.training.simulation import PACKAGE, Cluster, condition, spec, trained

SAMPLES = {"file": "samples.jsonl", "image": "registry.example/team/server:3"}
KEYS = {
    "sign": {"keySecretRef": {"name": "signer", "key": "private"}},
    "encrypt": {"keySecretRef": {"name": "archives", "key": "keyset"}},
}


def packaging(**package: Any) -> Cluster:
    """Return a cluster whose job is being packaged, with samples."""
    cluster = Cluster(spec(package={**PACKAGE, "samples": SAMPLES, **package}))
    cluster.settle()
    cluster.finish_all(message=trained())
    cluster.settle()
    return cluster


def job(**package: Any) -> dict[str, Any]:
    made = packaging(**package).job("package")
    assert made is not None
    return made


def containers(**package: Any) -> dict[str, dict[str, Any]]:
    pod = job(**package)["spec"]["template"]["spec"]
    every = (*pod["initContainers"], *pod["containers"])
    return {each["name"]: each for each in every}


def mounted(container: dict[str, Any]) -> dict[str, bool]:
    """Return a container's volumes, and whether it may write there."""
    return {each["name"]: not each.get("readOnly") for each in container["volumeMounts"]}


def test_the_archive_is_built_then_asked_then_stored() -> None:
    pod = job()["spec"]["template"]["spec"]
    assert [each["name"] for each in pod["initContainers"]] == ["builder", "answerer"]
    assert [each["name"] for each in pod["containers"]] == ["packager"]


def test_what_runs_the_users_code_has_no_credentials_no_key_and_cannot_write_the_archive() -> None:
    answerer = containers(**KEYS)["answerer"]
    assert mounted(answerer) == {"built": False, "answers": True, "answer-tmp": True}
    assert {each["name"] for each in answerer["env"]} == {
        "HOME",
        "TMPDIR",
        "OMP_NUM_THREADS",
        "SLIPWAY_ALLOW_PICKLED_MODELS",
        "SLIPWAY_SAMPLES",
    }
    pod = job(**KEYS)["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert not pod.get("shareProcessNamespace")


def test_keys_are_where_the_archive_is_stored_and_not_where_it_is_built() -> None:
    every = containers(**KEYS)
    holders = [name for name, each in every.items() if "slipway-key-signature" in mounted(each)]
    assert holders == ["packager"]
    assert mounted(every["packager"])["answers"] is False


def test_the_model_answers_in_the_image_and_the_time_that_are_asked_for() -> None:
    answerer = containers(samples={**SAMPLES, "tolerance": "0.01", "timeoutSeconds": 5})["answerer"]
    assert answerer["image"] == "registry.example/team/server:3"
    env = {each["name"]: each["value"] for each in answerer["env"]}
    assert json.loads(env["SLIPWAY_SAMPLES"]) == {
        "modelName": "quick",
        "tolerance": 0.01,
        "timeoutSeconds": 5,
    }


def test_what_evaluates_the_answers_is_told_where_the_model_answers() -> None:
    samples = {**SAMPLES, "evaluate": "judge$(HOME).py:score"}
    every = containers(samples=samples)
    env = {each["name"]: each["value"] for each in every["answerer"]["env"]}
    told = json.loads(env["SLIPWAY_SAMPLES"])
    assert told["evaluate"] == "judge$$(HOME).py:score"


def test_without_samples_the_pod_has_the_packager_alone() -> None:
    pod = job(samples=None)["spec"]["template"]["spec"]
    assert "initContainers" not in pod
    assert [each["name"] for each in pod["volumes"]].count("answers") == 0


def ended(name: str, code: int, word: dict[str, Any], **state: Any) -> dict[str, Any]:
    """Return the status of a packaging pod whose container of a name has ended."""
    terminated = {"exitCode": code, "reason": "Error", "message": json.dumps(word), **state}
    return {
        "phase": "Failed",
        "initContainerStatuses": [{"name": name, "state": {"terminated": terminated}}],
        "containerStatuses": [{"name": "packager", "state": {"waiting": {"reason": "PodInit"}}}],
    }


def test_a_model_that_does_not_answer_ends_the_packaging_at_once_with_its_row() -> None:
    cluster = packaging()
    word = {"reason": "SamplesFailed", "message": "Row 3 is answered with 503.", "logTail": "boom"}
    (pod,) = cluster.pods("package")
    pod["status"] = ended("answerer", 65, word)
    cluster.settle()
    assert cluster.status["phase"] == "Failed"
    found = condition(cluster, "Packaged")
    assert found["reason"] == "PackagingFailed"
    assert "answerer, failed: exit code 65. Row 3 is answered with 503." in found["message"]
    assert "boom" in found["message"]


def test_a_model_that_needs_more_memory_is_told_which_limit_to_raise() -> None:
    cluster = packaging()
    for _ in range(3):
        (pod,) = cluster.pods("package")
        pod["status"] = ended("answerer", 137, {}, reason="OOMKilled")
        cluster.settle()
    message = condition(cluster, "Failed")["message"]
    assert "Raise spec.package.samples.resources.limits.memory." in message


def test_a_store_that_is_away_while_the_archive_is_built_is_waited_for() -> None:
    cluster = packaging()
    for _ in range(5):
        (pod,) = cluster.pods("package")
        pod["status"] = ended("builder", 75, {"message": "The store is away."})
        cluster.wait(10)
        cluster.settle()
        found = condition(cluster, "Packaged")
        assert (found["status"], found["reason"]) == ("False", "StoreUnavailable")
        assert found["message"].startswith("The store is away.")


def test_no_exit_code_of_the_users_code_is_taken_for_an_unavailable_store() -> None:
    cluster = packaging()
    for _ in range(3):
        (pod,) = cluster.pods("package")
        pod["status"] = ended("answerer", 75, {"message": "The store is away."})
        cluster.settle()
    assert cluster.status["phase"] == "Failed"


def test_candidates_are_made_where_the_model_answers_and_have_room_there() -> None:
    wanted = {"objective": "Size", "candidates": ["Int8Static"], "tolerance": "0.02"}
    exported = {"serializedFile": "model.pt2", "handler": "tensor", "optimize": wanted}
    pod = job(**exported)["spec"]["template"]["spec"]
    (answerer,) = (each for each in pod["initContainers"] if each["name"] == "answerer")
    env = {each["name"]: each["value"] for each in answerer["env"]}
    assert json.loads(env["SLIPWAY_OPTIMIZE"]) == {**wanted, "timeoutSeconds": 900}
    sizes = {each["name"]: each.get("emptyDir", {}).get("sizeLimit") for each in pod["volumes"]}
    assert sizes["answers"] == sizes["built"]
    assert "SLIPWAY_OPTIMIZE" not in {each["name"] for each in containers()["answerer"]["env"]}
