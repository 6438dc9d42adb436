"""The operator as a whole: what it is made of, and how it starts and ends."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

from slipway.accounts.trust import Trust
from slipway.controller.credentials import make_credentials
from slipway.controller.ending import END_SECONDS, end_within
from slipway.controller.garbage import keep_collections_short
from slipway.controller.gauges import Sources, add_gauges
from slipway.controller.intake.kopf_handlers import LONGEST_SILENCE
from slipway.controller.intake.served import until_served
from slipway.controller.intake.sweeper import Sweeper, watched_paths
from slipway.controller.intake.watches import Intake
from slipway.controller.intake.watching import SPARE_CONNECTIONS, Watching
from slipway.controller.intake.worth_listing import LISTED_BY_OWNERS
from slipway.controller.loop.kinds import MakeKinds
from slipway.controller.loop.observer import ConfigMapKeys, Observer, ServingPods
from slipway.controller.loop.reconciler import Reconciler
from slipway.controller.loop.refusals import Refusals
from slipway.controller.loop.settled_jobs import SettledJobs
from slipway.controller.loop.status_writer import StatusWriter
from slipway.controller.loop.work_queue import WorkQueue
from slipway.controller.loop.workers import Workers, most_at_a_time
from slipway.controller.namespaces import NamespaceLabels
from slipway.controller.readers.analyses import AnalysisReader
from slipway.controller.readers.death_rounds import DeathRounds
from slipway.controller.readers.prometheus import PrometheusReader
from slipway.controller.readers.rollout_traffic import TrafficReader
from slipway.controller.readers.store_probe import StoreProbe
from slipway.controller.readers.training_progress import ProgressReader
from slipway.controller.readers.worker_deaths import DeathReader
from slipway.controller.references import make_retention
from slipway.controller.store_certificate import StoreCertificate
from slipway.controller.whole import Whole
from slipway.kube.client import Client
from slipway.kube.connection import Connection, api_server_addresses, connect
from slipway.kube.discovery import Discovery
from slipway.kube.election.account import holder_identity
from slipway.kube.election.lease import LeaseLock, lead
from slipway.kube.review import MetricsReview
from slipway.kube.watched.cache import Cache
from slipway.kube.watched.room import share
from slipway.kube.writes.apply import Writer
from slipway.kube.writes.events import EventRecorder
from slipway.kube.writes.withheld import stands_in
from slipway.manifests import head_of
from slipway.plan import ObjectRef
from slipway.settings import Settings
from slipway.telemetry.access import MOST_REVIEWS, Access, for_readers_only
from slipway.telemetry.certificates import Certificates
from slipway.telemetry.health import WatchHealth
from slipway.telemetry.memory import limit_bytes
from slipway.telemetry.metrics import Metrics
from slipway.telemetry.server import HttpServer

_LOG = logging.getLogger(__name__)
_CATCH_UP_SECONDS = 0.5
"""How often a replica that leads looks whether its watches work."""
_SWEEP_SECONDS = 3600.0
"""How often all that is known is compared with what is there, if nothing calls for it before."""
_LONGEST_RECONCILE = 900.0
"""All of a reconcile's requests have time-outs, of a minute at most; one that takes so many seconds
hangs. With webhooks of 30 s the children of a ModelDeployment take some minutes."""


class Operator:
    """One replica: it watches from the start, and acts while it leads."""

    def __init__(self, settings: Settings, make_kinds: MakeKinds) -> None:
        self._settings = settings
        self._make_kinds = make_kinds
        self._metrics = Metrics()
        self._cache = Cache(share(limit_bytes(), settings.namespace_memory_percent))
        self._queue: WorkQueue[ObjectRef] = WorkQueue(
            self._metrics.queue_wait.observe, attrgetter("namespace"), max(1, settings.workers // 2)
        )
        paths = watched_paths(settings.namespaces)
        self._intake = Intake(
            self._cache,
            self._queue,
            self._metrics.object_changed,
            paths,
            watched_paths(settings.namespaces, LISTED_BY_OWNERS),
            settings.max_concurrent_server_updates,
            self._metrics.handling,
        )
        self._health = WatchHealth(paths, LONGEST_SILENCE, left_out=self._intake.left_out.paths)
        self._progress = ProgressReader(settings.progress_interval_seconds, tell=self._intake.wake)
        prometheus = PrometheusReader(
            settings.prometheus_url, settings.allowed_prometheus, api_server_addresses()
        )
        self._analyses = AnalysisReader(TrafficReader(), prometheus, self._intake.wake)
        self._deaths = DeathReader(tell=self._intake.wake)
        self._leading, self._stop = asyncio.Event(), asyncio.Event()
        self._failed = False
        self._lock: LeaseLock | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._certificates = Certificates()
        add_gauges(self._metrics, self._sources(), each_object=settings.object_metrics)

    def _sources(self) -> Sources:
        leading = self._leading.is_set
        return Sources(self._cache, self._queue, self._health, leading, self._certificates)

    async def run(self, kubeconfig: Path | None) -> int:
        """Run until a signal or a failure; return the exit status of the process.

        Raises ``KubeError`` where there is no way to a cluster.
        """
        keep_collections_short()
        self._catch_signals()
        connections = most_at_a_time(self._settings.workers) + SPARE_CONNECTIONS + MOST_REVIEWS
        async with contextlib.AsyncExitStack() as stack:
            connection = await connect(kubeconfig, connections, self._count_request)
            stack.push_async_callback(connection.close)
            stack.push_async_callback(self._progress.close)
            stack.push_async_callback(self._analyses.close)
            stack.push_async_callback(self._deaths.close)
            client = Client(connection)
            server = self._http_server(client)
            await server.start(self._settings.http_port)
            stack.push_async_callback(server.close)
            await self._serve(connection, client)
        return int(self._failed)

    def _http_server(self, client: Client) -> HttpServer:
        review = for_readers_only(Access(MetricsReview(client)))
        filters = [review] if self._settings.secure_metrics else []
        return HttpServer(self._metrics.page, self._faults, self._unready, filters)

    async def _serve(self, connection: Connection, client: Client) -> None:
        if not await until_served(client, self._health.show_life, self._stop):
            return
        if self._settings.store.tls_secret:
            certificate = StoreCertificate(client, self._settings)
            self._start("store-certificate", certificate.run(await certificate.keep()))
        sweeper = Sweeper(client, self._cache, self._intake, self._settings.namespaces)
        told, stands = self._metrics.event_told, stands_in(self._cache)
        events = EventRecorder(client, quiet=self._queue.quiet, told=told, stands=stands)
        self._start("workers", self._work(connection, client, events))
        self._start("events", events.run())
        handling = self._metrics.handling.of
        rounds = DeathRounds(self._deaths, ServingPods(self._cache), events.record, handling)
        self._start("deaths", self._while_leading(rounds.run))
        self._start("election", self._lead(client, holder_identity(connection.in_cluster)))
        servers = {"api-server": connection.server, "store": self._settings.store.endpoint}
        trust = Trust(self._settings.store.ca_file)
        self._start("certificates", self._certificates.run(servers, connection.tls, trust.context))
        self._start("namespaces-left-out", self._intake.until_returned())
        self._start("sweeper", sweeper.run(_SWEEP_SECONDS))
        await asyncio.sleep(0)
        kopf_stop = asyncio.Event()
        watches = asyncio.create_task(self._watching().run(connection, sweeper, kopf_stop))
        watches.add_done_callback(self._ended)
        await self._stop.wait()
        end_within(END_SECONDS)
        await self._end_tasks()
        kopf_stop.set()
        with contextlib.suppress(Exception):
            await watches

    def _watching(self) -> Watching:
        return Watching(
            namespaces=self._settings.namespaces,
            intake=self._intake,
            health=self._health,
            count_request=self._count_request,
            take_signals=self._take_signals,
            count_skipped=lambda kind: self._metrics.skipped.labels(kind).inc(),
        )

    def _faults(self) -> list[str]:
        """Return a sentence for each thing that only a restart mends."""
        stuck = self._queue.longest
        told = [f"A reconcile has taken {stuck:.0f} s."] if stuck > _LONGEST_RECONCILE else []
        return told + self._health.dead()

    def _unready(self) -> list[str]:
        """Return a sentence for each thing that it does not know, or by which it cannot lead."""
        synced = self._intake.synced.is_set()
        unlisted = [] if synced else ["Not all there is has been listed yet."]
        trouble = self._lock.trouble if self._lock else ""
        return (self._health.stale() or unlisted) + ([trouble] if trouble else [])

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start a part that only ends when the operator does."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._stop.is_set():
            return
        error = None if task.cancelled() else task.exception()
        _LOG.error("The operator ends, since its part %s did", task.get_name(), exc_info=error)
        self._failed = True
        self._stop.set()

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _catch_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)

    def _take_signals(self) -> None:
        """Take the signals back from kopf, which sets its handlers just after its start-up ones."""
        asyncio.get_running_loop().call_soon(self._catch_signals)

    def _count_request(self, method: str, _path: str, watch: bool, status: int) -> None:
        verb = "WATCH" if watch else method.upper()
        self._metrics.requests.labels(verb, str(status)).inc()

    async def _work(self, connection: Connection, client: Client, events: EventRecorder) -> None:
        settings = self._settings
        probe = StoreProbe(settings.store, in_cluster=connection.in_cluster)
        interval = settings.progress_interval_seconds
        credentials = make_credentials(settings, client, self._cache)
        references, removals = make_retention(
            client, self._cache, settings, self._metrics, credentials.place
        )
        observer = Observer(
            self._cache,
            ConfigMapKeys(client),
            probe.state,
            self._progress,
            interval,
            Discovery(client).serves,
            self._analyses.read,
            self._deaths.read,
            NamespaceLabels(client).value,
            Refusals(client).of,
            references.known,
            removals.outcome,
            SettledJobs(client, self._cache).read,
        )
        reconciler = Reconciler(
            self._make_kinds(observer),
            self._cache,
            Writer(client, self._cache, credentials.data),
            credentials,
            StatusWriter(client, self._cache, interval),
            events,
            settings,
            self._metrics,
            Whole(client, self._cache),
            lambda removal, obj: removals.begin(removal, partial(self._intake.wake, head_of(obj))),
        )
        workers = Workers(self._queue, reconciler, self._metrics, settings.look_again_seconds)
        gates = (self._leading.wait, self._intake.synced.wait, self._caught_up)
        async with contextlib.aclosing(probe), contextlib.aclosing(removals):
            await workers.run(settings.workers, *gates)

    async def _while_leading(self, run: Callable[[], Awaitable[None]]) -> None:
        await self._leading.wait()
        await run()

    async def _caught_up(self) -> None:
        """Wait until no watch fails: what is missed there would be decided without."""
        told: list[str] = []
        while behind := self._health.behind():
            if behind != told:
                _LOG.info("This replica waits for the watches of %s", ", ".join(behind))
            told = behind
            await asyncio.sleep(_CATCH_UP_SECONDS)

    async def _lead(self, client: Client, identity: str) -> None:
        if not self._settings.leader_election:
            self._lead_now()
            await asyncio.Event().wait()
        self._lock = LeaseLock(client, self._settings.namespace, identity)
        await lead(self._lock, self._lead_now)

    def _lead_now(self) -> None:
        _LOG.info("This replica leads")
        self._metrics.leader.set(1)
        self._intake.wake_all()
        self._leading.set()


async def run(settings: Settings, kubeconfig: Path | None, make_kinds: MakeKinds) -> int:
    """Run the operator until it is told to end; return the exit status of the process."""
    return await Operator(settings, make_kinds).run(kubeconfig)
