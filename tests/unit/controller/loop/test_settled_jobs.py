"""The Jobs of what had succeeded are read when a plan may ask for them, and only then."""

import pytest

from slipway.api import TrainingJob
from slipway.api.training.package import Package
from slipway.controller.loop.settled_jobs import SettledJobs
from slipway.kube.watched.cache import Cache
from slipway.plan import Manifest, ObjectRef
from slipway.training.stages.repackaging import digest_of
from tests.unit.controller.fakes import FakeClient, child, training_job

PACKAGE = {"handler": "handler.py", "serializedFile": "model.pt"}
CHANGED = {**PACKAGE, "serializedFile": "other.pt"}


class Asked(FakeClient):
    """Counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    async def get(self, ref: ObjectRef) -> Manifest | None:
        self.read.append(ref.name)
        return await super().get(ref)


def succeeded(package: Manifest = PACKAGE, policy: str = "Running") -> Manifest:
    """Return a TrainingJob that has succeeded with ``PACKAGE``, and whose spec says now more."""
    digest = digest_of(Package.model_validate(PACKAGE))
    told = [{"type": type_, "status": "True"} for type_ in ("Packaged", "Succeeded")]
    rest = {"reason": "Done", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    job = training_job(package=package, cleanPodPolicy=policy)
    job["metadata"]["resourceVersion"] = "1"
    status = {
        "conditions": [{**one, **rest} for one in told],
        "output": {"uri": "s3://slipway/outputs/default/job/u"},
        "packaging": {"number": 1, "generation": 1, "digest": digest},
    }
    return {**job, "status": status}


async def read(raw: Manifest, times: int = 1) -> tuple[Asked, set[str]]:
    """Observe a job whose Jobs were left out; return the client and the Jobs that are known."""
    client, cache = Asked(), Cache()
    cache.feed(succeeded())
    assert list(cache.unsettled()) == []
    for name in ("job-train", "job-package"):
        client.put(child(raw, "Job", name, "batch/v1", status={}))
    jobs = SettledJobs(client, cache)
    for _ in range(times):
        await jobs.read(TrainingJob.model_validate(raw), raw)
    return client, {ref.name for ref in cache.refs("Job")}


async def test_nothing_is_read_of_a_job_that_stays_as_it_is() -> None:
    client, known = await read(succeeded())
    assert client.read == []
    assert known == set()


@pytest.mark.parametrize("raw", [succeeded(CHANGED), succeeded(policy="All")])
async def test_the_jobs_are_read_once_when_a_package_changes_or_they_are_to_go(
    raw: Manifest,
) -> None:
    client, known = await read(raw, times=3)
    assert client.read == ["job-train", "job-package"]
    assert known == {"job-train", "job-package"}
