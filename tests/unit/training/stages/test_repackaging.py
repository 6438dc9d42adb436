"""A changed package makes another archive of the stored output, without another training."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.plan import ObjectRef
from tests.unit.training.simulation import (
    PACKAGE,
    Cluster,
    packaged,
    spec,
    trained,
)

PLACE = "s3://slipway/models/default/quick/uid-1"
BETTER = {**PACKAGE, "handler": "better.py"}


def ended(package: Any = PACKAGE, code: int = 0, **fields: Any) -> Cluster:
    """Return a cluster whose job has trained, and been packaged as far as that goes."""
    cluster = Cluster(spec(package=package, **fields))
    cluster.settle()
    cluster.finish_all(message=trained())
    cluster.settle()
    for pod in cluster.pods("package"):
        cluster.finish(pod, code, packaged() if code == 0 else {"message": "No such handler."})
    cluster.settle()
    return cluster


KEY = {"name": "keys", "key": "archives"}


def test_each_archive_is_bound_to_its_own_place_and_the_status_says_how_it_opens() -> None:
    cluster = ended({**PACKAGE, "encrypt": {"keySecretRef": KEY}})
    assert cluster.status["package"]["encryption"] == {
        "keySecretRef": KEY,
        "associatedData": "default/quick/uid-1/1/quick-1.0.mar",
    }
    cluster.change(package={**BETTER, "encrypt": {"keySecretRef": KEY}})
    cluster.settle()
    assert told(cluster, "SLIPWAY_ASSOCIATED_DATA") == "default/quick/uid-1/2/quick-1.1.mar"
    cluster.finish_all("package", packaged())
    cluster.settle()
    cluster.change(package=BETTER)
    cluster.settle()
    cluster.finish_all("package", packaged())
    cluster.settle()
    assert "encryption" not in cluster.status["package"]


def test_the_status_says_where_the_signature_of_a_signed_archive_lies() -> None:
    cluster = ended({**PACKAGE, "sign": {"keySecretRef": {"name": "keys", "key": "signer.pem"}}})
    assert cluster.status["package"]["signatureUri"] == f"{PLACE}/quick-1.0.mar.sig"
    assert "signatureUri" not in ended().status["package"]


def told(cluster: Cluster, variable: str) -> str:
    job = cluster.job("package")
    assert job
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    return next(str(one["value"]) for one in env if one["name"] == variable)


def trainings(cluster: Cluster) -> int:
    return sum(reason == "Started" for _, reason, _ in cluster.events)


def test_a_changed_package_is_made_of_the_stored_output_under_a_new_version() -> None:
    cluster = ended()
    before = cluster.status["package"]
    writes = cluster.writes.count("apply Job")
    cluster.change(package=BETTER)
    cluster.settle()
    assert cluster.status["phase"] == "Packaging"
    assert cluster.status["package"] == before
    assert "completionTime" not in cluster.status
    assert cluster.writes.count("apply Job") == writes + 1
    assert told(cluster, "SLIPWAY_OUTPUT_URI") == cluster.status["output"]["uri"]
    cluster.finish_all("package", packaged())
    cluster.settle()
    assert cluster.status["phase"] == "Succeeded"
    made = cluster.status["package"]
    assert made["uri"] == f"{PLACE}/2/quick-1.1.mar"
    assert made["lineageUri"] == f"{PLACE}/2/lineage.json"
    assert made["generation"] == cluster.status["packaging"]["generation"] == 2


def test_a_packaging_that_failed_is_mended_by_another_package() -> None:
    cluster = ended(code=65)
    assert cluster.status["phase"] == "Failed"
    cluster.change(package=BETTER)
    cluster.settle()
    cluster.finish_all("package", packaged())
    cluster.settle()
    assert cluster.status["phase"] == "Succeeded"
    assert [one["type"] for one in cluster.status["conditions"]].count("Failed") == 0


def test_a_package_may_be_added_to_a_job_that_has_ended_without_one() -> None:
    cluster = ended(package=None)
    assert cluster.status["phase"] == "Succeeded"
    cluster.change(package=PACKAGE)
    cluster.settle()
    cluster.finish_all("package", packaged())
    cluster.settle()
    assert cluster.status["package"]["uri"] == f"{PLACE}/quick-1.0.mar"
    assert cluster.status["phase"] == "Succeeded"


def test_the_same_package_is_made_again_where_its_number_changes() -> None:
    cluster = ended({**PACKAGE, "modelVersion": "7"})
    assert cluster.status["package"]["uri"] == f"{PLACE}/quick-7.mar"
    cluster.change(package={**PACKAGE, "modelVersion": "7", "repeat": 1})
    cluster.settle()
    assert told(cluster, "SLIPWAY_PACKAGE_URI") == f"{PLACE}/2/quick-7.mar"


def test_an_archive_stays_when_its_package_is_taken_away_or_a_later_one_fails() -> None:
    cluster = ended()
    made = cluster.status["package"]
    cluster.change(package=None)
    cluster.settle()
    assert (cluster.status["phase"], cluster.status["package"]) == ("Succeeded", made)
    cluster.change(package=BETTER)
    cluster.settle()
    cluster.finish(cluster.pods("package")[0], 65, {"message": "No."})
    cluster.settle()
    assert (cluster.status["phase"], cluster.status["package"]) == ("Failed", made)


def test_a_package_that_is_taken_away_before_it_is_made_is_made_when_it_is_back() -> None:
    cluster = ended()
    cluster.change(package=BETTER)
    cluster.settle()
    cluster.change(package=None)
    cluster.settle()
    assert cluster.status["phase"] == "Succeeded"
    cluster.change(package=BETTER)
    cluster.settle()
    assert cluster.status["phase"] == "Packaging"
    cluster.finish_all("package", packaged())
    cluster.settle()
    assert cluster.status["package"]["uri"] == f"{PLACE}/2/quick-1.1.mar"


def test_other_changes_of_an_ended_job_package_nothing() -> None:
    cluster = ended()
    cluster.change(ttlSecondsAfterFinished=60)
    jobs = cluster.writes.count("apply Job")
    cluster.settle()
    assert cluster.writes.count("apply Job") == jobs
    assert cluster.status["phase"] == "Succeeded"


def test_a_package_that_changes_while_it_is_made_is_made_anew() -> None:
    cluster = Cluster(spec(package=PACKAGE), lingering=True)
    cluster.settle()
    cluster.finish_all(message=trained())
    cluster.settle()
    first = cluster.job("package")
    assert first
    cluster.change(package=BETTER)
    cluster.reconcile()
    assert cluster.job("package") == first
    cluster.settle()
    cluster.delete(ObjectRef("batch/v1", "Job", "default", "quick-package"))
    cluster.settle()
    assert told(cluster, "SLIPWAY_PACKAGE_URI") == f"{PLACE}/2/quick-1.1.mar"


def test_what_an_earlier_release_packaged_is_not_packaged_again_and_then_may_be() -> None:
    cluster = ended({**PACKAGE, "config": {"batchSize": 4, "handler": {"a": 1}}})
    cluster.status.pop("packaging")
    for field in ("generation", "config"):
        cluster.status["package"].pop(field, None)
    cluster.objects.clear()
    cluster.settle()
    assert cluster.objects == {}
    assert cluster.status["package"]["config"] == {"batchSize": 4}
    assert cluster.status["packaging"]["number"] == 1
    cluster.change(package=BETTER)
    cluster.settle()
    assert told(cluster, "SLIPWAY_PACKAGE_URI") == f"{PLACE}/2/quick-1.1.mar"


@pytest.mark.parametrize("live", [True, False])
def test_a_packaging_job_of_an_earlier_release_is_followed_to_its_end(*, live: bool) -> None:
    cluster = Cluster(spec(package=PACKAGE))
    cluster.settle()
    cluster.finish_all(message=trained())
    cluster.settle()
    job = cluster.job("package")
    assert job
    for label in ("slipway.dev/packaging", "slipway.dev/package-digest"):
        job["metadata"]["labels"].pop(label)
    if live:
        cluster.status.pop("packaging")
    cluster.settle()
    cluster.finish_all("package", packaged())
    cluster.settle()
    assert cluster.status["phase"] == "Succeeded"
    assert cluster.status["packaging"]["number"] == 1


ACTS = st.sampled_from(["handler a.py", "handler b.py", "none", "good", "bad", "ttl", "delete"])


@settings(max_examples=15, deadline=None)
@given(acts=st.lists(ACTS, max_size=6), lost=st.sets(st.integers(0, 20), max_size=6))
def test_whatever_changes_and_whenever_the_operator_dies_the_last_package_is_the_one_stored(
    acts: list[str], lost: set[int]
) -> None:
    cluster = ended({**PACKAGE, "handler": "a.py"})
    stored: dict[str, str] = {cluster.status["package"]["uri"]: "a.py"}
    rounds = 0

    def settle() -> None:
        nonlocal rounds
        for _ in range(12):
            rounds += 1
            before, written = cluster.status, len(cluster.writes)
            cluster.control()
            cluster.reconcile()
            if rounds in lost:  # the operator died before it wrote the status
                cluster.status = before
            elif len(cluster.writes) == written:
                return

    def end(code: int) -> None:
        for pod in cluster.pods("package"):
            uri = told(cluster, "SLIPWAY_PACKAGE_URI")
            handler = "a.py" if '"a.py"' in told(cluster, "SLIPWAY_PACKAGE") else "b.py"
            if code == 0:
                assert stored.setdefault(uri, handler) == handler, "an archive was overwritten"
            cluster.finish(pod, code, packaged() if code == 0 else {"message": "No."})

    for act in acts:
        if act.startswith("handler"):
            cluster.change(package={**PACKAGE, "handler": act.split()[1]})
        elif act == "none":
            cluster.change(package=None)
        elif act in ("good", "bad"):
            end(0 if act == "good" else 65)
        elif act == "ttl":
            cluster.change(ttlSecondsAfterFinished=10**6)
        elif cluster.job("package"):
            cluster.delete(ObjectRef("batch/v1", "Job", "default", "quick-package"))
        settle()
    lost.clear()
    for _ in range(3):
        settle()
        end(0)
    settle()
    assert trainings(cluster) <= 1
    wanted = (cluster.spec.get("package") or {}).get("handler")
    if wanted and cluster.status["phase"] == "Succeeded":
        assert stored[cluster.status["package"]["uri"]] == wanted
    assert cluster.status["phase"] in ("Succeeded", "Failed")
