"""Code that a package names and its ConfigMap lacks: told before the training, ended for never."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.training.snapshot import TrainingSnapshot
from slipway.training.stages.creation import create
from tests.unit.training.simulation import (
    PACKAGE,
    SETTINGS,
    START,
    Cluster,
    condition,
    packaged,
    spec,
    trained,
    training_job,
)

ALL = frozenset({"train.py", "net.py", "handler.py"})


def begun(keys: frozenset[str] = ALL, **package: Any) -> Cluster:
    cluster = Cluster(spec(package={**PACKAGE, **package}))
    cluster.source_keys = keys
    cluster.settle()
    return cluster


def types(cluster: Cluster) -> list[str]:
    return [one["type"] for one in cluster.status["conditions"]]


def test_a_slip_of_the_pen_is_told_before_the_job_is_made_and_the_job_is_made() -> None:
    cluster = begun(handler="handlr.py")
    found = condition(cluster, "PackageFilesMissing")
    assert (found["status"], found["reason"]) == ("True", "FileNotInSource")
    assert "no key for package.handler handlr.py; its keys: handler.py, net.py" in found["message"]
    assert [event[:2] for event in cluster.events].count(("Warning", "FileNotInSource")) == 1
    assert cluster.writes.index("status TrainingJob") < cluster.writes.index("apply Job")
    assert cluster.job("train")


@pytest.mark.parametrize(
    ("package", "missing"),
    [
        ({}, ""),
        ({"handler": "handler.py:answer"}, ""),
        ({"handler": "other.py:answer"}, "package.handler other.py"),
        ({"handler": "tensor"}, ""),
        ({"handler": "image_classifier"}, ""),
        ({"modelFile": "src/net.py"}, "package.modelFile src/net.py"),
        ({"requirementsFile": "needs.txt"}, "package.requirementsFile needs.txt"),
        ({"extraFiles": ["vocab.txt", "assets/"]}, ""),
        ({"samples": {"file": "rows.jsonl"}}, ""),
        (
            {"samples": {"file": "rows.jsonl", "evaluate": "judge.py:score"}},
            "package.samples.evaluate judge.py",
        ),
        ({"extraFiles": ["help.py", "more.py"]}, "package.extraFiles help.py, package.extraFiles"),
    ],
)
def test_code_is_looked_for_and_not_what_scripts_write(
    package: dict[str, Any], missing: str
) -> None:
    cluster = begun(**package)
    assert ("PackageFilesMissing" in types(cluster)) == bool(missing)
    if missing:
        assert missing in condition(cluster, "PackageFilesMissing")["message"]


@pytest.mark.parametrize("mend", ["package", "source"])
def test_what_is_mended_is_not_missing_any_more(mend: str) -> None:
    cluster = begun(handler="handlr.py")
    if mend == "package":
        cluster.change(package=PACKAGE)
    else:
        cluster.source_keys = ALL | {"handlr.py"}
    cluster.settle()
    assert condition(cluster, "PackageFilesMissing")["status"] == "False"


def test_a_source_that_is_deleted_meanwhile_changes_nothing() -> None:
    cluster = begun(handler="handlr.py")
    cluster.source_keys = None
    cluster.settle()
    assert condition(cluster, "PackageFilesMissing")["status"] == "True"


def test_the_packaging_tells_by_itself_what_is_missing() -> None:
    cluster = begun(handler="written.py")
    cluster.finish_all(message=trained())
    cluster.settle()
    assert condition(cluster, "PackageFilesMissing")["status"] == "False"
    cluster.finish_all("package", packaged())
    cluster.settle()
    assert cluster.status["phase"] == "Succeeded"


def test_a_source_that_was_not_looked_at_is_not_judged() -> None:
    cluster = Cluster(spec(source={"git": {"url": "https://a.example/b"}}, package=PACKAGE))
    cluster.source_keys = None
    cluster.settle()
    assert cluster.job("train")
    assert "PackageFilesMissing" not in types(cluster)


NAMES = st.sampled_from(["handler.py", "net.py", "a.py:f", "b.py", "tensor", "x"])


@given(NAMES, NAMES, st.lists(NAMES, max_size=3), st.frozensets(NAMES))
def test_whatever_is_missing_the_job_is_made_after_one_warning(
    handler: str, model: str, extra: list[str], keys: frozenset[str]
) -> None:
    package = {"serializedFile": "m", "handler": handler, "modelFile": model, "extraFiles": extra}
    job = training_job(spec(package=package))
    snapshot = TrainingSnapshot(job=job, source_keys=keys | {"train.py"})
    step = create(snapshot, None, SETTINGS, START)
    if step.findings:
        (finding,) = step.findings
        assert (finding.type, finding.status) == ("PackageFilesMissing", True)
        assert step.requeue_after == 0.0
        told = {
            "type": finding.type,
            "status": "True",
            "reason": finding.reason,
            "message": finding.message,
            "lastTransitionTime": "2026-01-01T12:00:00Z",
        }
        again = training_job(spec(package=package), {"conditions": [told]})
        snapshot = TrainingSnapshot(job=again, source_keys=keys | {"train.py"})
        step = create(snapshot, None, SETTINGS, START)
    assert [one["kind"] for one in step.apply][-1] == "Job"
