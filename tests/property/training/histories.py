"""Histories of events on a simulated cluster: what users, nodes and the operator's crashes do."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from slipway.api.training.status import Progress
from slipway.plan import ObjectRef, StoreState
from tests.unit.training.simulation import (
    PACKAGE,
    Cluster,
    packaged,
    running,
    spec,
    trained,
    waiting,
)

Act = Callable[[Cluster], None]

COMMON = {
    "package": st.sampled_from([None, PACKAGE]),
    "activeDeadlineSeconds": st.sampled_from([None, 50, 500]),
    "queueDeadlineSeconds": st.sampled_from([None, None, 60]),
    "progressDeadlineSeconds": st.sampled_from([None, None, 60]),
    "ttlSecondsAfterFinished": st.sampled_from([None, 0, 30]),
    "cleanPodPolicy": st.sampled_from(["None", "Running", "All"]),
    "gang": st.sampled_from(["None", "None", "Volcano"]),
    "suspend": st.sampled_from([False, False, False, True]),
}
RULE = {"onExitCodes": {"operator": "In", "values": [1]}, "action": "RestartAndIgnoreMaxRestarts"}
GROUPS = st.builds(
    spec,
    nodes=st.integers(1, 3),
    restart=st.fixed_dictionaries(
        {"policy": st.sampled_from(["Group", "Pod"]), "maxRestarts": st.integers(0, 2)},
        optional={"rules": st.just([RULE])},
    ),
    queueName=st.sampled_from([None, None, "team"]),
    **COMMON,
)
NEVER = st.builds(spec, nodes=st.integers(1, 3), restart=st.just({"policy": "Never"}), **COMMON)
ELASTIC = st.builds(
    spec, nodes=st.integers(1, 3), elastic=st.just({"minNodes": 1, "maxNodes": 3}), **COMMON
)
SPECS = st.one_of(GROUPS, GROUPS, NEVER, ELASTIC)

CLUSTERS = st.builds(Cluster, SPECS, lingering=st.booleans())
"""Clusters where a job was just created; where they linger, pods take their time to end."""

WORDS = st.sampled_from(
    [
        "",
        "raw text",
        {"reason": "ScriptFailed", "message": "It failed.", "logTail": "x" * 9000},
        {"reason": "OutOfMemory", "time": 5},
        trained(step=5, totalSteps=9, metrics={"loss": 1}, time=1767268800),
        packaged(),
        {"package": {"sha256": "?"}},
    ]
)
CODES = st.sampled_from([0, 0, 0, 1, 75, 137, 143])
ROLES = st.sampled_from(["train", "package"])
WAITS = st.sampled_from(
    ["CreateContainerConfigError", "ImagePullBackOff", "ErrImagePull", "ContainerCreating"]
)


def _on_pod(role: str, choice: int, act: Callable[[Cluster, dict[str, Any]], None]) -> Act:
    def run(cluster: Cluster) -> None:
        pods = cluster.pods(role)
        if pods:
            act(cluster, pods[choice % len(pods)])

    return run


def start(role: str, choice: int) -> Act:
    """One pod starts."""
    return _on_pod(role, choice, lambda _, pod: pod.update(status=running(role)))


def finish(role: str, choice: int, code: int, word: Any) -> Act:
    """One pod ends."""
    return _on_pod(role, choice, lambda cluster, pod: cluster.finish(pod, code, word))


def finish_all(role: str) -> Act:
    """All pods of a Job end well, with the words that belong to it."""
    word = trained(step=9, totalSteps=9) if role == "train" else packaged()
    return lambda cluster: cluster.finish_all(role, word)


def start_all(cluster: Cluster) -> None:
    """All training pods start."""
    cluster.start()


def wait_for_something(role: str, choice: int, reason: str) -> Act:
    """One pod waits for something that is missing."""
    name = "trainer" if role == "train" else "packager"
    return _on_pod(role, choice, lambda _, pod: pod.update(status=waiting(name, reason, "why")))


def lose(role: str, choice: int) -> Act:
    """One pod, ended or not, is deleted with its node."""

    def run(cluster: Cluster) -> None:
        pods = cluster.all_pods(role)
        if pods:
            cluster.delete(ObjectRef.of(pods[choice % len(pods)]))

    return run


def delete_child(choice: int) -> Act:
    """Somebody deletes a Job or a Service."""

    def run(cluster: Cluster) -> None:
        children = [ref for ref in cluster.objects if ref.kind != "Pod"]
        if children:
            cluster.delete(children[choice % len(children)])

    return run


def take(role: str, choice: int, disrupted: bool) -> Act:
    """One pod is deleted, by a user or by the cluster, and has time to end."""

    def run(cluster: Cluster, pod: dict[str, Any]) -> None:
        if disrupted:
            cluster.disrupt(pod)
        else:
            cluster.take(pod)

    return _on_pod(role, choice, run)


def leave(cluster: Cluster) -> None:
    """All pods that were told to go end."""
    cluster.leave()


def hold(admitted: bool) -> Act:
    """A queue admits the job, or takes its place back."""

    def run(cluster: Cluster) -> None:
        job = cluster.job()
        if job and cluster.spec.get("queueName"):
            job["spec"]["suspend"] = not admitted

    return run


def change(fields: dict[str, Any]) -> Act:
    """A user changes a field of the spec."""
    return lambda cluster: cluster.change(**fields)


def raise_restarts(count: int) -> Act:
    """A user allows more or fewer restarts."""

    def run(cluster: Cluster) -> None:
        restart = cluster.spec.get("restart", {})
        if restart.get("policy") != "Never":
            cluster.change(restart={**restart, "maxRestarts": count})

    return run


def scale(count: int) -> Act:
    """A user scales an elastic job."""
    return lambda cluster: cluster.change(nodes=count) if cluster.spec.get("elastic") else None


def surroundings(keys: frozenset[str] | None, reachable: bool, step: int | None) -> Act:
    """The source, the store or the reported progress changes."""

    def run(cluster: Cluster) -> None:
        cluster.source_keys = keys
        cluster.store = StoreState(reachable, "" if reachable else "it is down")
        cluster.progress = None if step is None else Progress(step=step, total_steps=9)

    return run


def pass_time(seconds: int) -> Act:
    """Time passes."""
    return lambda cluster: cluster.wait(seconds)


def control(cluster: Cluster) -> None:
    """The Job controller acts."""
    cluster.control()


def reconcile(cluster: Cluster) -> None:
    """The operator acts."""
    if not cluster.deleted:
        cluster.reconcile()


def crash_before_status(cluster: Cluster) -> None:
    """The operator acts and is killed before it writes the status."""
    if cluster.deleted:
        return
    before = copy.deepcopy(cluster.status)
    cluster.reconcile()
    cluster.status = before


_LONE_ACTS: st.SearchStrategy[Act] = st.one_of(
    st.just(crash_before_status),
    st.builds(start, ROLES, st.integers(0, 5)),
    st.builds(finish, ROLES, st.integers(0, 5), CODES, WORDS),
    st.builds(finish_all, ROLES),
    st.builds(wait_for_something, ROLES, st.integers(0, 5), WAITS),
    st.builds(lose, ROLES, st.integers(0, 5)),
    st.builds(delete_child, st.integers(0, 5)),
    st.builds(
        change,
        st.one_of(
            st.builds(lambda value: {"suspend": value}, st.booleans()),
            st.builds(
                lambda value: {"activeDeadlineSeconds": value}, st.sampled_from([None, 20, 900])
            ),
        ),
    ),
    st.builds(
        surroundings,
        st.sampled_from([None, frozenset({"train.py"}), frozenset({"other.py"})]),
        st.booleans(),
        st.sampled_from([None, 1, 2]),
    ),
    st.builds(pass_time, st.sampled_from([1, 3, 11, 100])),
    st.builds(take, ROLES, st.integers(0, 5), st.booleans()),
    st.just(leave),
    st.builds(hold, st.booleans()),
    st.builds(raise_restarts, st.integers(0, 3)),
    st.builds(scale, st.integers(1, 3)),
)


def seen_by(act: Act, observers: tuple[Act, ...]) -> Act:
    """Something happens, and then controllers act."""

    def run(cluster: Cluster) -> None:
        for one in (act, *observers):
            if not cluster.deleted:
                one(cluster)

    return run


def until(stage: int) -> Act:
    """The job lives undisturbed: until it is created, runs, has trained, or has its archive."""

    def run(cluster: Cluster) -> None:
        for act in (hold(admitted=True), start_all, finish_all("train"), finish_all("package"))[
            :stage
        ]:
            seen_by(act, (control, reconcile) * 3)(cluster)

    return run


ACTS: st.SearchStrategy[Act] = st.builds(
    seen_by,
    _LONE_ACTS,
    st.sampled_from([(), (control,), (reconcile,), (control, reconcile), (control, reconcile) * 3]),
)
"""One event, seen at once, late, or by one of the controllers only."""

HISTORIES: st.SearchStrategy[list[Act]] = st.builds(
    lambda stage, acts: [until(stage), *acts], st.integers(0, 4), st.lists(ACTS, max_size=30)
)
"""A life that is undisturbed up to some stage, and then is not."""


def copy_of(cluster: Cluster) -> Cluster:
    """Return a cluster that can be changed without changing the given one."""
    return replace(
        cluster,
        status=copy.deepcopy(cluster.status),
        objects=copy.deepcopy(cluster.objects),
        writes=list(cluster.writes),
        statuses=list(cluster.statuses),
        events=list(cluster.events),
        gone=list(cluster.gone),
    )
