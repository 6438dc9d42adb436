"""One measurement: a new control plane, a load created on it, and the time until it is up."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from dev.cluster import daemon
from slipway.kube.resources import CHILDREN, MODEL_DEPLOYMENTS, TRAINING_JOBS, Resource
from slipway.plan import Manifest
from slipway.settings import Settings
from tests.contract.operator.process import (
    ACCOUNT,
    NAMESPACE,
    OperatorProcess,
    cpu_seconds,
    grant_access,
)
from tests.harness import AuditLog, Kubectl, Request, TestControlPlane
from tests.harness.audit import service_account
from tests.harness.control_plane import simulated_cluster
from tests.harness.waiting import wait_for
from tests.scale import workloads
from tests.scale.client import LoadClient, Row

ROOT = Path(__file__).parents[2]
USER = service_account(NAMESPACE, ACCOUNT)
CONCURRENCY = 8
"""Requests at a time by whoever creates the objects: the same with the operator and without it."""
TIMEOUT = 1800.0
_RESTS, _LOOKS_SECONDS = 0.2, 5.0
"""A control plane that uses less of a processor, in so many seconds, has nothing to do."""
_BY_KIND = {resource.kind: resource for resource in CHILDREN}


@dataclass(frozen=True)
class Load:
    """What is created; it is up once ``holds`` is true of ``count`` rows of a resource.

    ``statuses`` are those that the operator writes of each object until then, at least; 0 where
    it has no part in it.
    """

    groups: Sequence[Sequence[Manifest]]
    resource: Resource
    holds: Callable[[Row], bool]
    count: int
    statuses: int = 0


@dataclass(frozen=True)
class Measured:
    """Seconds until all ran, and CPU seconds of the whole control plane and the operator.

    Of the operator alone: CPU seconds, peak memory in MiB, requests by verb and in detail.
    """

    seconds: float
    work: float
    cpu: float = 0.0
    memory: float = 0.0
    requests: Counter[str] = field(default_factory=Counter)
    details: Counter[tuple[str, str]] = field(default_factory=Counter)


def training_jobs(count: int) -> Load:
    """Return TrainingJobs, which are up when their phase is Running."""
    groups = [[workloads.training_job(number)] for number in range(count)]
    return Load(groups, TRAINING_JOBS, lambda row: row["phase"] == "Running", count, 1)


def plain_jobs(count: int) -> Load:
    """Return Indexed Jobs, which are up when all their pods run."""
    groups = [[workloads.plain_job(number)] for number in range(count)]
    pods = count * workloads.NODES
    return Load(groups, _BY_KIND["Pod"], lambda row: row["status"] == "Running", pods)


def plain_groups(count: int) -> Load:
    """Return plain Indexed Jobs, each behind the Service without which its pods cannot meet."""
    groups = [[workloads.plain_service(one), workloads.plain_job(one)] for one in range(count)]
    return replace(plain_jobs(count), groups=groups)


def same_jobs(count: int) -> Load:
    """Return the children of TrainingJobs, which are up when all their pods run."""
    groups = [workloads.job_children(number, Settings()) for number in range(count)]
    return replace(plain_jobs(count), groups=groups)


def same_jobs_alone(count: int) -> Load:
    """Return the Jobs of TrainingJobs without their Services, and without pods that can meet."""
    groups = [[one for one in group if one["kind"] == "Job"] for group in same_jobs(count).groups]
    return replace(plain_jobs(count), groups=groups)


def model_deployments(count: int) -> Load:
    """Return ModelDeployments, which are up when they are Ready."""
    groups = [[workloads.model_deployment(number)] for number in range(count)]
    return Load(groups, MODEL_DEPLOYMENTS, lambda row: row["ready"] == "True", count, 2)


def their_children(count: int) -> Load:
    """Return the children of ModelDeployments, which are up when each Deployment is available."""
    groups = [workloads.children(number, Settings()) for number in range(count)]
    return Load(groups, _BY_KIND["Deployment"], lambda row: row["available"] == 1, count)


@contextmanager
def prepared(nodes: int, pods: str = "") -> Iterator[TestControlPlane]:
    """Start a control plane with simulated nodes, the CRDs, the chart's RBAC and a namespace.

    ``pods`` is the range of the pods' addresses, if it matters.
    """
    with simulated_cluster(nodes, ROOT / "crds", pods=pods) as plane:
        grant_access(plane)
        plane.kubectl.run("create", "namespace", workloads.NAMESPACE)
        Kubectl(plane.kubeconfig, namespace="").apply(workloads.source())
        yield plane


@contextmanager
def starting(plane: TestControlPlane, log: Path) -> Iterator[OperatorProcess]:
    """Start the operator as it is shipped, with the chart's rights; end it after the block."""
    kubeconfig = plane.service_account_kubeconfig(NAMESPACE, ACCOUNT)
    process = OperatorProcess.start(kubeconfig, log, {})
    try:
        yield process
    finally:
        process.end()


@contextmanager
def operator(plane: TestControlPlane, log: Path) -> Iterator[OperatorProcess]:
    """Have the operator lead during the block."""
    with starting(plane, log) as process:
        process.wait_until_leading(TIMEOUT)
        yield process


def measure(load: Load, folder: Path, nodes: int = 50) -> Measured:
    """Create a load on a control plane of its own and return what it took."""
    with prepared(nodes) as plane:
        if not load.statuses:
            return Measured(*_worked(load, plane))
        with operator(plane, folder / "operator.log") as process:
            return observed(load, plane, process)


def observed(load: Load, plane: TestControlPlane, process: OperatorProcess) -> Measured:
    """Create a load beside a running operator and return what it took."""
    audit, begun = plane.audit(), process.cpu()
    seconds, work = _worked(load, plane)
    cpu = process.cpu() - begun
    return Measured(seconds, work + cpu, cpu, peak_memory(process), *_requests(audit, load))


def _worked(load: Load, plane: TestControlPlane) -> tuple[float, float]:
    """Create a load; return the seconds until it is up and the control plane's CPU seconds."""
    begun = _plane_cpu(plane)
    seconds = asyncio.run(_until_up(load, plane))
    return seconds, _plane_cpu(plane) - begun


def _plane_cpu(plane: TestControlPlane) -> float:
    """Return the CPU seconds that the control plane's programs have used."""
    recorded = daemon.all_recorded(plane.plane.state).values()
    return sum(cpu_seconds(found.pid) for found in recorded)


def settle(plane: TestControlPlane) -> None:
    """Wait until the control plane has done what it had to."""
    before = _plane_cpu(plane)

    def rests() -> bool:
        nonlocal before
        used, before = _plane_cpu(plane) - before, _plane_cpu(plane)
        return used < _RESTS * _LOOKS_SECONDS

    wait_for(rests, TIMEOUT, "the control plane rests", interval=_LOOKS_SECONDS)


async def _until_up(load: Load, plane: TestControlPlane) -> float:
    async with await LoadClient.connect(plane.kubeconfig, CONCURRENCY) as client:
        started = asyncio.Event()
        waiting = asyncio.create_task(
            client.wait_for(load.resource, workloads.NAMESPACE, load.holds, load.count, started)
        )
        await started.wait()
        begin = time.monotonic()
        async with asyncio.timeout(TIMEOUT):
            await client.create(load.groups)
            await waiting
        return time.monotonic() - begin


def _requests(audit: AuditLog, load: Load) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Count the operator's requests by verb, and by verb and resource; its Lease left out.

    A request is noted once it is answered, which may be after others have seen what it did: the
    statuses by which all is up are waited for.
    """
    least = load.statuses * load.count

    def noted() -> list[Request] | None:
        made = [one for one in audit.requests(USER) if one.resource != "leases"]
        statuses = [one for one in made if one.resource.endswith("/status")]
        return made if len(statuses) >= least else None

    made = wait_for(noted, 180, f"{least} statuses are noted")
    return Counter(one.verb for one in made), Counter((one.verb, one.resource) for one in made)


def peak_memory(process: OperatorProcess) -> float:
    """Return the most resident memory that the operator has had, in MiB."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    assert found
    return int(found.group(1)) / 1024
