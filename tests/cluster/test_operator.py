"""The operator itself: killed at bad moments, its appetite, its rights, a store that is away."""

import itertools
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.conftest import Quickstart
from tests.cluster.support import (
    QUICKSTART,
    SERVE,
    TRAIN,
    Space,
    condition,
    is_ready,
    phase,
    processes_of,
    source,
    training_job,
)
from tests.harness import KubectlError, Object
from tests.harness.cluster import Cluster
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.alone]

OPERATOR = "app.kubernetes.io/component=operator"


def _operator(cluster: Cluster) -> Object:
    """Return the operator's pod once it is ready."""

    def probe() -> Object | None:
        pods = cluster.system.list("pods", OPERATOR)
        ready = [pod for pod in pods if condition(pod, "Ready").get("status") == "True"]
        return ready[0] if ready else None

    return wait_for(probe, 240, "the operator is ready")


def _process(cluster: Cluster) -> int:
    """Return the process id of the running operator."""

    def probe() -> int | None:
        found = processes_of(_operator(cluster))
        return min(found) if found else None

    return wait_for(probe, 240, "the operator's process runs")


def _kill(cluster: Cluster) -> None:
    """End the operator without a warning; its pod goes too, and so the kubelet's back-off."""
    pod = _operator(cluster)["metadata"]["name"]
    os.kill(_process(cluster), signal.SIGKILL)
    cluster.system.run("delete", "pod", pod, "--force", "--grace-period=0")


@cache
def _token(cluster: Cluster, account: str = "slipway-metrics-reader") -> str:
    """Return a token of an account beside the operator, valid for an hour."""
    return cluster.system.run("create", "token", account, "--duration=1h").strip()


def _ask(cluster: Cluster, token: str = "") -> httpx.Response | None:
    """Return the answer to who asks for the metrics; None where one is to ask again."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"http://{_operator(cluster)['status']['podIP']}:8080/metrics"
    try:
        answer = httpx.get(url, headers=headers, timeout=60)
    except httpx.HTTPError:
        return None
    return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer


def _answer(cluster: Cluster, token: str = "") -> httpx.Response:
    """Return the answer to who asks for the metrics until there is one."""
    return wait_for(lambda: _ask(cluster, token), 120, "the operator answers")


def _scrape(cluster: Cluster) -> str:
    return _answer(cluster, _token(cluster)).raise_for_status().text


def _leads(cluster: Cluster) -> bool:
    found = _ask(cluster, _token(cluster))
    return found is not None and "slipway_leader 1.0" in found.text


MOMENTS: dict[str, Any] = {
    "before the training job's children are seen": lambda job: bool(job.get("metadata")),
    "while the pods start": lambda job: bool(job.get("status")),
    "while it trains": lambda job: phase(job) == "Running",
    "while it packages": lambda job: phase(job) in ("Packaging", "Succeeded"),
}

SLOWLY = "--seconds-per-epoch=0.6"
"""So slowly that an operator that was killed is there again while the quickstart still trains."""


@pytest.mark.long
def test_the_quickstart_ends_the_same_though_the_operator_is_killed_at_every_stage(
    cluster: Cluster, space: Space, quickstart: Quickstart
) -> None:
    for path in sorted(QUICKSTART.glob("*.yaml")):
        text = re.sub(r"--seconds-per-epoch=[0-9.]+", SLOWLY, path.read_text())
        space.kubectl.run("apply", "-f", "-", stdin=text)
    name = quickstart.job["metadata"]["name"]
    served = quickstart.deployment["metadata"]["name"]
    for reached in MOMENTS.values():
        space.wait("trainingjob", name, reached, TRAIN)
        _kill(cluster)
    job = space.wait_for_phase(name, "Succeeded", "Failed")
    wait_for(
        lambda: space.deployment(served).get("status", {}).get("replicas"),
        SERVE,
        "the first server pod is there",
        space.report,
    )
    _kill(cluster)
    deployment = space.wait_until_ready(served)
    assert phase(job) == "Succeeded"
    archive = job["status"]["package"]["sha256"]
    assert archive == quickstart.job["status"]["package"]["sha256"]
    assert archive == deployment["status"]["model"]["sha256"]
    for kind, count in (("jobs", 2), ("deployments", 1), ("services", 1)):
        assert len(space.kubectl.list(kind, "app.kubernetes.io/managed-by=slipway")) == count


def test_a_restarted_operator_writes_nothing_where_nothing_has_changed(
    cluster: Cluster, quickstart: Quickstart
) -> None:
    assert is_ready(quickstart.space.deployment(quickstart.deployment["metadata"]["name"]))
    before = _operator(cluster)["metadata"]["name"]
    audit = cluster.audit()
    cluster.system.run("delete", "pod", before)
    wait_for(lambda: _leads(cluster), 240, "the new operator leads")
    reconciled = 'slipway_reconcile_total{kind="ModelDeployment"'
    wait_for(lambda: reconciled in _scrape(cluster), 120, "the new operator has reconciled")
    assert [
        request
        for request in audit.requests(cluster.operator_user)
        if request.is_write and request.namespace == quickstart.space.name
    ] == []


def test_the_idle_operator_takes_less_than_120_mib_and_next_to_no_cpu(
    cluster: Cluster, quickstart: Quickstart
) -> None:
    assert quickstart.deployment
    wait_for(lambda: _leads(cluster), 240, "the operator leads")
    folder = Path("/proc") / str(_process(cluster))
    shares: list[float] = []

    def idles() -> bool:
        """Look at it for a quarter of a minute: it may have begun a moment ago."""
        begin, used = time.monotonic(), _cpu_seconds(folder)
        wait_for(lambda: time.monotonic() - begin > 15, 60, "a quarter of a minute has passed")
        shares.append((_cpu_seconds(folder) - used) / (time.monotonic() - begin))
        return shares[-1] < 0.05

    wait_for(idles, 180, "it takes next to no CPU", lambda: str(shares))
    memory = _resident_mib(folder)
    print(f"idle operator: {memory:.0f} MiB resident, {shares[-1]:.1%} of a core")
    assert memory < 120


def _cpu_seconds(folder: Path) -> float:
    fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(folder: Path) -> float:
    lines = (folder / "status").read_text().splitlines()
    line = next(line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("list", "secrets"),
        ("get", "secrets"),
        ("deletecollection", "pods"),
        ("create", "pods"),
        ("create", "pods/exec"),
        ("create", "clusterrolebindings"),
        ("escalate", "clusterroles"),
        ("impersonate", "users"),
        ("delete", "namespaces"),
        ("update", "nodes"),
        ("update", "customresourcedefinitions"),
        ("*", "*"),
    ],
)
def test_the_operator_is_refused(verb: str, what: str, cluster: Cluster) -> None:
    with pytest.raises(KubectlError):
        cluster.kubectl.run("auth", "can-i", verb, what, "-A", f"--as={cluster.operator_user}")


def test_the_operators_metrics_tell_jobs_deployments_and_reconciles(
    cluster: Cluster, quickstart: Quickstart
) -> None:
    assert quickstart.job
    text = _scrape(cluster)
    for series in (
        "slipway_training_jobs{",
        "slipway_model_deployments{",
        "slipway_reconcile_total{",
        "slipway_reconcile_duration_seconds_bucket{",
        "slipway_workqueue_depth",
        "slipway_leader 1.0",
    ):
        assert series in text


def test_the_operators_metrics_are_for_those_alone_who_may_read_them(cluster: Cluster) -> None:
    address = f"http://{_operator(cluster)['status']['podIP']}:8080"
    assert httpx.get(f"{address}/healthz", timeout=60).status_code == 200
    assert _answer(cluster).status_code == 401
    answer = _answer(cluster, _token(cluster, "default"))
    assert answer.status_code == 403
    assert "system:serviceaccount:slipway-system:default may not get /metrics" in answer.text
    assert "slipway_leader 1.0" in _scrape(cluster)


@contextmanager
def _store_away(cluster: Cluster) -> Iterator[None]:
    """Take the store's pod away until the block ends."""
    component = "app.kubernetes.io/component=store"
    store = cluster.system.list("statefulset", component)[0]["metadata"]["name"]
    cluster.system.run("scale", f"statefulset/{store}", "--replicas=0")
    try:
        wait_for(lambda: not cluster.system.list("pods", component), 240, "the store is away")
        yield
    finally:
        cluster.system.run("scale", f"statefulset/{store}", "--replicas=1")


@pytest.mark.long
def test_a_store_that_is_away_is_a_condition_and_the_job_goes_on_when_it_is_back(
    cluster: Cluster, space: Space
) -> None:
    write = (
        "import os, pathlib\n"
        "pathlib.Path(os.environ['SLIPWAY_OUTPUT_DIR'], 'model.pt').write_bytes(b'x')\n"
    )
    numbers = itertools.count()

    def waiting() -> str | None:
        """Create jobs until the operator no longer believes the store's last answer."""
        name = f"patient-{next(numbers)}"
        space.apply(training_job(name, "code"))
        job = space.wait("trainingjob", name, lambda it: condition(it, "Created"), 180)
        return name if condition(job, "Created")["reason"] == "StoreUnavailable" else None

    # The namespace's account is there before the store goes: one without would stall for it.
    space.apply(source("code", main=write), training_job("before", "code"))
    assert phase(space.wait_for_phase("before", "Succeeded", "Failed")) == "Succeeded"
    with _store_away(cluster):
        name = wait_for(waiting, 300, "a job waits for the store", space.report, interval=2.0)
    assert phase(space.wait_for_phase(name, "Succeeded", "Failed")) == "Succeeded"


def test_an_output_outlives_an_outage_of_the_store_at_the_end_of_the_training(
    cluster: Cluster, space: Space
) -> None:
    write = (
        "import os, pathlib, time\n"
        "folder = pathlib.Path(os.environ['SLIPWAY_OUTPUT_DIR'])\n"
        "(folder / 'model.pt').write_bytes(b'x' * 1000)\n"
        "while not pathlib.Path('/tmp/go').exists():\n"
        "    time.sleep(0.2)\n"
    )
    space.apply(source("code", main=write), training_job("keeps", "code"))
    space.wait_for_phase("keeps", "Running")
    (pod,) = space.pods("slipway.dev/training-job=keeps")
    with _store_away(cluster):
        go = ("exec", pod["metadata"]["name"], "-c", "trainer", "--", "touch", "/tmp/go")
        space.kubectl.run(*go)
        space.wait_for_reason("trainingjob", "keeps", "Running", "StoreUnavailable", 180)
    job = space.wait_for_phase("keeps", "Succeeded", "Failed")
    assert phase(job) == "Succeeded"
    assert job["status"]["output"] == {
        **job["status"]["output"],
        "files": 1,
        "sizeBytes": 1000,
    }
