"""The pods that are listed at a start: all that a plan may read, and few that none reads."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from slipway.controller.intake.pods import NAMES_AT_ONCE, pods_worth_listing
from slipway.kube.watched.cache import Cache
from slipway.kube.watched.watch import Query
from slipway.manifests import MANAGED_BY, MANAGER, MODEL_DEPLOYMENT, TRAINING_JOB
from slipway.plan import Manifest
from tests.unit.controller.fakes import child, reference, training_job

PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")


def matches(query: Query, pod: Manifest) -> bool:
    """Tell whether the API server would list a pod, by the few forms that the operator uses."""
    labels, phase = pod["metadata"]["labels"], pod["status"]["phase"]
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
    return all(term != f"status.phase!={phase}" for term in query["fieldSelector"].split(","))


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
