"""A control plane with simulated nodes, the operator behind a faulty proxy, and a load."""

import asyncio
import contextlib
import signal
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.cluster.kubeconfig import write_kubeconfig
from slipway.kube.client import Client
from slipway.kube.connection import connect
from tests.chaos.load import Load
from tests.chaos.pods import RANGE, PodNetwork
from tests.chaos.proxy import FaultyProxy
from tests.chaos.shifted import PORT_VARIABLE
from tests.contract.operator.process import ACCOUNT, NAMESPACE, OperatorProcess
from tests.harness import TestControlPlane
from tests.harness.audit import service_account
from tests.scale import measure

JOBS, MODELS = 30, 5
PROGRESS_SECONDS = 30
"""After so long without a report a training counts as hanging, if its pod says so."""
IDLE_SECONDS = 10.0
SETTLE_SECONDS = 300.0
_USER = service_account(NAMESPACE, ACCOUNT)


@dataclass(frozen=True)
class Level:
    """What an operator needs at rest: resident memory in MiB, and requests a second."""

    memory: float
    requests: float


@dataclass(frozen=True)
class Outcome:
    """What a fault did.

    ``changes`` are those that the load made meanwhile, ``restarts`` how often the operator's
    process ended, ``settled`` in how many seconds after the fault every object was as it should be.
    """

    seconds: float
    changes: int
    restarts: int
    settled: float
    before: Level
    after: Level


class Operators:
    """The operator's process, started again where it ends, as the kubelet does it."""

    def __init__(self, kubeconfig: Path, folder: Path, port: int) -> None:
        self._kubeconfig = kubeconfig
        self._settings = {PORT_VARIABLE: str(port)}
        self._folder = folder
        self.restarts = 0
        self.one = self.start()

    def start(self, **settings: str) -> OperatorProcess:
        """Start one more."""
        log = self._folder / f"operator-{time.monotonic_ns()}.log"
        given = {**self._settings, **settings}
        return OperatorProcess.start(self._kubeconfig, log, given, "tests.chaos.shifted")

    def set_clock_back(self) -> None:
        """Set the operator's clock back by an hour; one that starts anew has the right time."""
        self.one.process.send_signal(signal.SIGUSR1)

    async def end(self) -> None:
        """End it, in a thread: it speaks to a proxy in this one."""
        await asyncio.to_thread(self.one.end)

    async def watch(self) -> None:
        """Start it again whenever it ends, until cancelled."""
        while True:
            if self.one.process.poll() is not None:
                self.restarts += 1
                self.one = self.start()
            await asyncio.sleep(0.5)


@dataclass(frozen=True)
class Scene:
    """All that a fault may reach for."""

    plane: TestControlPlane
    proxy: FaultyProxy
    operators: Operators
    load: Load
    pods: PodNetwork

    async def settle(self, seconds: float = SETTLE_SECONDS) -> float:
        """Wait until every object is as it should be; return how long that took.

        Raises AssertionError with what is not, where that takes longer than ``seconds``.
        """
        begun, wrong = time.monotonic(), ["nothing was looked at"]
        while wrong:
            assert time.monotonic() - begun < seconds, "\n".join(wrong[:20])
            await asyncio.sleep(1)
            wrong = await self.load.unsettled()
        return time.monotonic() - begun

    async def level(self) -> Level:
        """Measure the operator at rest."""
        await asyncio.sleep(IDLE_SECONDS / 2)
        audit = self.plane.audit()
        await asyncio.sleep(IDLE_SECONDS)
        made = [one for one in audit.requests(_USER) if one.resource != "leases"]
        requests = [one for one in made if one.verb != "watch"]
        return Level(self.operators.one.memory(), len(requests) / IDLE_SECONDS)

    async def suffer(
        self, fault: Callable[["Scene", float], Coroutine[Any, Any, None]], seconds: float
    ) -> Outcome:
        """Have a fault happen for so long, under load, and measure what it did."""
        await self.settle()
        before, restarts, changes = await self.level(), self.operators.restarts, self.load.changes
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.load.go_on(seconds))
            tasks.create_task(fault(self, seconds))
        settled = await self.settle()
        return Outcome(
            seconds,
            self.load.changes - changes,
            self.operators.restarts - restarts,
            settled,
            before,
            await self.level(),
        )


@contextmanager
def control_plane() -> Iterator[TestControlPlane]:
    """Start the control plane, with few nodes."""
    with measure.prepared(nodes=5, pods=RANGE) as plane:
        yield plane


@asynccontextmanager
async def scene(plane: TestControlPlane, folder: Path) -> AsyncIterator[Scene]:
    """Start proxy, operator and load before a control plane."""
    authority = plane.plane.authority.own.certificate
    trust = ssl.create_default_context(cafile=str(authority))
    proxy = FaultyProxy(plane.plane.server, trust)
    token = plane.kubectl.run("create", "token", ACCOUNT, "-n", NAMESPACE, "--duration=2h").strip()
    connection = await connect(plane.kubeconfig, 8, lambda *_: None)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(connection.close)
        url = await stack.enter_async_context(proxy.serve())
        kubeconfig = write_kubeconfig(folder / "operator.kubeconfig", url, authority, token)
        pods = PodNetwork()
        await stack.enter_async_context(pods.serve())
        operators = Operators(kubeconfig, folder, pods.port)
        watching = asyncio.create_task(operators.watch())
        stack.push_async_callback(operators.end)
        stack.callback(watching.cancel)
        await asyncio.to_thread(operators.one.wait_until_leading)
        load = Load(Client(connection), JOBS, MODELS, progressDeadlineSeconds=PROGRESS_SECONDS)
        await load.begin()
        yield Scene(plane, proxy, operators, load, pods)
