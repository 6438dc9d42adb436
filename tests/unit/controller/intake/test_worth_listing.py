"""Which Jobs and pods are listed at a start: all that a plan may read, and few that none does."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from slipway.controller.intake.worth_listing import (
    NAMES_AT_ONCE,
    jobs_worth_listing,
    pods_worth_listing,
)
from slipway.kube.watched.cache import Cache
from slipway.kube.watched.watch import Query
from slipway.manifests import MANAGED_BY, MANAGER, MODEL_DEPLOYMENT, TRAINING_JOB
from slipway.plan import Manifest, ObjectRef
from tests.unit.controller.fakes import child, reference, training_job

PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")


def matches(query: Query, obj: Manifest) -> bool:
    """Tell whether the API server would list an object, by the few forms that the operator uses."""
    labels, status = obj["metadata"]["labels"], obj["status"]
    fields = {
        "status.phase": status.get("phase", ""),
        "status.successful": str(status.get("succeeded", 0)),
    }
    for term in re.split(r",(?![^(]*\))", query["labelSelector"]):
        among = re.fullmatch(r"(\S+) in \((.*)\)", term)
        if among:
            held = labels.get(among[1]) in among[2].split(",")
        elif term.startswith("!"):
            held = term[1:] not in labels
        else:
            key, value = term.split("=")
            held = labels.get(key) == value
        if not held:
            return False
    return all(_holds(term, fields) for term in query["fieldSelector"].split(","))


def _holds(term: str, fields: Mapping[str, str]) -> bool:
    field, unequal, value = re.fullmatch(r"([\w.]+)(!?)=(\w+)", term).groups()  # type: ignore[union-attr]
    return (fields[field] != value) == bool(unequal)


def listed(pods: Iterable[Manifest], going_on: Iterable[str]) -> Iterator[Manifest]:
    queries = tuple(pods_worth_listing(going_on))
    return (pod for pod in pods if any(matches(query, pod) for query in queries))


@dataclass(frozen=True)
class Family:
    """A TrainingJob, its Job, and the phases of the Job's pods."""

    ended: bool
    job_ended: bool
    phases: tuple[str, ...]

    def objects(self, number: int) -> tuple[Manifest, Manifest, list[Manifest]]:
        raw = training_job(f"job-{number}")
        raw["metadata"] |= {"uid": f"t{number}", "resourceVersion": "1"}
        done = {"conditions": [{"type": "Succeeded", "status": "True"}]}
        complete = {"conditions": [{"type": "Complete", "status": "True"}]}
        job = child(raw, "Job", f"job-{number}-train", "batch/v1")
        job["metadata"] |= {"uid": f"j{number}", "resourceVersion": "2"}
        return (
            {**raw, "status": done if self.ended else {}},
            {**job, "status": complete if self.job_ended else {}},
            [self._pod(raw, job, index) for index in range(len(self.phases))],
        )

    def _pod(self, raw: Manifest, job: Manifest, index: int) -> Manifest:
        name = f"{job['metadata']['name']}-{index}"
        pod = child(raw, "Pod", name, spec={}, status={"phase": self.phases[index]})
        pod["metadata"] |= {
            "uid": f"{name}-uid",
            "resourceVersion": "3",
            "labels": {MANAGED_BY: MANAGER, TRAINING_JOB: raw["metadata"]["name"]},
            "ownerReferences": [reference(job)],
        }
        return pod


FAMILIES = st.lists(
    st.builds(
        Family,
        ended=st.booleans(),
        job_ended=st.booleans(),
        phases=st.lists(st.sampled_from(PHASES), max_size=3).map(tuple),
    ),
    max_size=2 * NAMES_AT_ONCE + 1,
)


@given(FAMILIES)
def test_a_cache_that_begins_with_the_listed_pods_knows_what_one_with_all_pods_knows(
    families: list[Family],
) -> None:
    cache, complete, pods = Cache(), Cache(), list[Manifest]()
    owners = list[Manifest]()
    for number, family in enumerate(families):
        owner, job, its_pods = family.objects(number)
        owners.append(owner)
        pods += its_pods
        for each in (cache, complete):
            each.feed(owner)
            each.feed(job)
    for pod in listed(pods, cache.going_on()):
        cache.feed(pod)
    for pod in pods:
        complete.feed(pod)
    for owner in owners:
        assert set(cache.children(owner).items) == set(complete.children(owner).items)


def test_ended_pods_of_jobs_that_have_ended_are_not_listed() -> None:
    over, live = Family(True, True, ("Succeeded", "Running")), Family(False, True, ("Failed",))
    cache, pods = Cache(), list[Manifest]()
    for number, family in enumerate((over, live)):
        owner, job, its_pods = family.objects(number)
        cache.feed(owner)
        cache.feed(job)
        pods += its_pods
    names = [pod["metadata"]["name"] for pod in listed(pods, cache.going_on())]
    assert names == ["job-0-train-1", "job-1-train-0"]


def test_the_pods_of_a_job_that_is_packaged_again_are_listed() -> None:
    cache = Cache()
    owner, job, pods = Family(True, False, ("Succeeded",)).objects(0)
    cache.feed(owner)
    cache.feed(job)
    assert list(listed(pods, cache.going_on())) == pods


def test_the_pods_of_deployments_are_all_listed() -> None:
    pods: list[Manifest] = [
        {
            "metadata": {"labels": {MANAGED_BY: MANAGER, MODEL_DEPLOYMENT: "m"}},
            "status": {"phase": phase},
        }
        for phase in PHASES
    ]
    assert list(listed(pods, ())) == pods


@dataclass(frozen=True)
class Trained:
    """A TrainingJob with what its status and policy say, and how its Job stands."""

    ends: str
    policy: str
    job_ended: bool

    def objects(self, number: int) -> tuple[Manifest, Manifest]:
        """Return the TrainingJob and its Job; a success is told only after the Job's."""
        raw = training_job(f"job-{number}", cleanPodPolicy=self.policy)
        raw["metadata"] |= {"uid": f"t{number}", "resourceVersion": "1"}
        ends = [{"type": self.ends, "status": "True"}] if self.ends else []
        well = self.ends == "Succeeded"
        over = [{"type": "Complete", "status": "True"}] if well or self.job_ended else []
        job = child(raw, "Job", f"job-{number}-train", "batch/v1")
        job["metadata"] |= {"uid": f"j{number}", "resourceVersion": "2"}
        status = {"conditions": over, **({"succeeded": 2} if over else {})}
        return {**raw, "status": {"conditions": ends}}, {**job, "status": status}


TRAINED = st.lists(
    st.builds(
        Trained,
        ends=st.sampled_from(("", "Succeeded", "Failed")),
        policy=st.sampled_from(("None", "Running", "All")),
        job_ended=st.booleans(),
    ),
    max_size=2 * NAMES_AT_ONCE + 1,
)


@given(TRAINED)
def test_each_job_that_is_not_listed_is_one_of_a_training_that_succeeded_and_keeps_it(
    families: list[Trained],
) -> None:
    cache, jobs, owners = Cache(), list[Manifest](), list[Manifest]()
    for number, family in enumerate(families):
        owner, job = family.objects(number)
        owners.append(owner)
        jobs.append(job)
        cache.feed(owner)
    queries = tuple(jobs_worth_listing(cache.unsettled()))
    for job in jobs:
        if any(matches(query, job) for query in queries):
            cache.feed(job)
    for owner, family in zip(owners, families, strict=True):
        settled = family.ends == "Succeeded" and family.policy != "All"
        assert bool(cache.children(owner).items) != settled
        assert cache.lacks_jobs(ObjectRef.of(owner)) == settled


def test_of_a_new_job_of_the_same_name_no_job_is_missing() -> None:
    cache = Cache()
    owner, _ = Trained("Succeeded", "None", True).objects(0)
    cache.feed(owner)
    list(cache.unsettled())
    anew = {**owner["metadata"], "uid": "another", "resourceVersion": "9"}
    cache.feed({**owner, "metadata": anew, "status": {}})
    assert not cache.lacks_jobs(ObjectRef.of(owner))


def test_jobs_that_are_known_are_not_left_out_when_all_is_listed_again() -> None:
    cache = Cache()
    owner, job = Trained("Succeeded", "None", True).objects(0)
    cache.feed(owner)
    cache.feed(job)
    assert list(cache.unsettled()) == []
    assert not cache.lacks_jobs(ObjectRef.of(owner))
