"""Whatever other jobs there are and say: an input is an archive that one of them has stored."""

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from slipway.api import TrainingJob
from slipway.settings import Settings
from slipway.training.report.phase import is_finished
from slipway.training.stored.other_jobs import Obstacle, chosen, names
from tests.unit.training.simulation import spec

NAMES = ("a", "b", "c", "d")
KNOWN = st.sampled_from(["1.0", "1.1", "2"])
VERSIONS = st.one_of(st.none(), KNOWN)
MOMENT = "2026-01-01T11:00:00Z"


def archive(job: str, version: str) -> dict[str, Any]:
    return {
        "uri": f"s3://slipway/{job}-{version}.mar",
        "sha256": "ab" * 32,
        "modelVersion": version,
    }


@st.composite
def jobs(draw: st.DrawFn, name: str) -> TrainingJob:
    """Return a job that asks for others' archives, in any state and with any archives."""
    wanted = draw(st.lists(st.tuples(st.sampled_from(NAMES), VERSIONS), max_size=3))
    inputs = [
        {"name": f"i{number}", "trainingJob": {"name": job, **_told(version)}}
        for number, (job, version) in enumerate(wanted)
    ]
    status: dict[str, Any] = {}
    end = draw(st.sampled_from([None, "Succeeded", "Failed"]))
    if end:
        one = {"type": end, "status": "True", "reason": "Word", "lastTransitionTime": MOMENT}
        status["conditions"] = [one]
    if version := draw(VERSIONS):
        status["package"] = {**archive(name, version), "sizeBytes": 1, "modelName": name}
    if version := draw(VERSIONS):
        missed = [{"metric": "m", "verdict": "Failed", "message": "m is 0"}]
        rejected = {**archive(name, version), "sizeBytes": 1, "modelName": name, "gates": missed}
        status["rejectedPackage"] = rejected
    marked = st.tuples(KNOWN, st.sampled_from(["rejected", "removing"]))
    status["earlierPackages"] = [
        {**archive(name, version), "number": 1, mark: draw(st.booleans())}
        for version, mark in draw(st.lists(marked, max_size=2))
    ]
    package = draw(st.sampled_from([None, {"serializedFile": "m", "handler": "h.py"}]))
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    return TrainingJob.model_validate(
        {
            "apiVersion": "slipway.dev/v1alpha1",
            "kind": "TrainingJob",
            "metadata": meta,
            "spec": spec(inputs=inputs, package=package),
            "status": status,
        }
    )


def _told(version: str | None) -> dict[str, str]:
    return {"modelVersion": version} if version else {}


def worlds() -> st.SearchStrategy[dict[str, TrainingJob]]:
    """Return jobs by their names; each may be missing."""
    made = st.tuples(*(st.one_of(st.none(), jobs(name)) for name in NAMES))
    return made.map(lambda all_: {one.metadata.name: one for one in all_ if one})


def stored(other: TrainingJob) -> set[tuple[str, str | None]]:
    """Return the archives of a job that may be used."""
    status = other.status
    found = {(status.package.uri, status.package.model_version)} if status.package else set()
    good = (one for one in status.earlier_packages if not (one.rejected or one.removing))
    return {*found, *((one.uri, one.model_version) for one in good)}


@given(jobs("a"), worlds())
def test_what_is_chosen_is_an_archive_that_the_job_has_and_that_was_asked_for(
    job: TrainingJob, world: dict[str, TrainingJob]
) -> None:
    found = chosen(job, world, Settings())
    if isinstance(found, Obstacle):
        assert 0 < len(found.cause.message) < 1000
        return
    wanted = {one.name: one.training_job for one in job.spec.inputs if one.training_job}
    assert {one.name for one in found} == set(wanted)
    for one in found:
        asked = wanted[one.name]
        assert one.training_job == asked.name != job.metadata.name
        assert one.training_job_uid == world[asked.name].metadata.uid
        assert (one.uri, one.model_version) in stored(world[asked.name])
        assert asked.model_version in (None, one.model_version)


@given(jobs("a"), worlds())
def test_what_was_chosen_once_stays_whatever_the_others_become(
    job: TrainingJob, world: dict[str, TrainingJob]
) -> None:
    found = chosen(job, world, Settings())
    if isinstance(found, Obstacle) or not found:
        return
    later = job.model_copy(update={"status": job.status.model_copy(update={"inputs": found})})
    assert chosen(later, {}, Settings()) == []


def reach(world: dict[str, TrainingJob], start: set[str]) -> set[str]:
    """Return all jobs that are waited for by some, those included, the slow and plain way."""
    while True:
        more = {name for one in start if one in world for name in names(world[one])}
        if more <= start:
            return start
        start = start | more


@given(jobs("a"), worlds())
def test_a_circle_is_told_where_a_job_waits_for_itself_and_nowhere_else(
    job: TrainingJob, world: dict[str, TrainingJob]
) -> None:
    assume(not is_finished(job.status.conditions))
    found = chosen(job, world, Settings())
    told = isinstance(found, Obstacle) and found.cause.reason == "InputCircle"
    if told:
        assert "a" in reach(world, set(names(job)))
    if isinstance(found, Obstacle) and found.cause.reason == "WaitingForTrainingJob":
        waited = found.cause.message.split()[1].rstrip(",")
        assert "a" not in reach(world, {waited})
