"""Workers: how each outcome of a reconcile is counted, and when its key comes again."""

import asyncio
from typing import cast

import pytest

from slipway.controller.loop import work_queue as queue_module
from slipway.controller.loop import workers as workers_module
from slipway.controller.loop.reconciler import Outcome, Reconciler
from slipway.controller.loop.status_writer import Trouble
from slipway.controller.loop.work_queue import WorkQueue
from slipway.controller.loop.workers import Workers, most_at_a_time
from slipway.kube.errors import Lingering, NamespaceGoing, Unavailable
from slipway.plan import ObjectRef
from slipway.telemetry.metrics import Metrics

REF = ObjectRef("slipway.dev/v1alpha1", "TrainingJob", "default", "job")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let back-offs be of milliseconds."""
    monkeypatch.setattr(queue_module, "_FIRST_BACKOFF", 0.001)


class Scripted:
    """A reconciler that ends as it is told to."""

    def __init__(self, *ends: Outcome | Exception) -> None:
        self.ends = list(ends)
        self.told: list[Exception] = []
        self.refusal: Exception | None = None

    async def tell_failure(self, _ref: ObjectRef, error: Exception) -> None:
        self.told.append(error)
        if self.refusal:
            raise self.refusal

    async def reconcile(self, _ref: ObjectRef) -> Outcome:
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end


class Scene:
    def __init__(self, *ends: Outcome | Exception) -> None:
        self.queue: WorkQueue[ObjectRef] = WorkQueue()
        self.metrics = Metrics()
        self.script = Scripted(*ends)
        reconciler = cast(Reconciler, self.script)
        self.workers = Workers(self.queue, reconciler, self.metrics, 600.0)

    async def work(self) -> None:
        """Let one key be worked on."""
        if self.due() is None or not self.queue.failures(REF):
            self.queue.add(REF)
        key = await asyncio.wait_for(self.queue.get(), 60)
        self.begun = asyncio.get_running_loop().time()
        await self.workers.handle(key)
        self.ended = asyncio.get_running_loop().time()

    def due(self) -> float | None:
        """Return when the key comes again."""
        return self.queue._due.get(REF)

    def is_due_in(self, shortest: float, longest: float) -> bool:
        """Tell whether the key comes again after such a time, however long the work took."""
        due = self.due()
        return due is not None and self.begun + shortest <= due <= self.ended + longest

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, {"kind": REF.kind, **labels}) or 0.0


async def test_a_settled_object_is_looked_at_again_within_the_resync_time() -> None:
    scene = Scene(Outcome("done"))
    await scene.work()
    assert scene.is_due_in(480, 600)
    assert scene.counted("slipway_reconcile_total", result="done") == 1


async def test_a_failure_that_cannot_even_be_told_ends_no_worker(quick: None) -> None:
    scene = Scene(*[RuntimeError("odd")] * 4, Outcome("done"))
    scene.script.refusal = AttributeError("odder")
    for _ in range(5):
        await scene.work()
    assert len(scene.script.told) == 2
    assert scene.counted("slipway_reconcile_total", result="done") == 1


@pytest.mark.parametrize("seconds", [0.05, 10.0])
async def test_a_planned_revisit_is_kept(seconds: float) -> None:
    scene = Scene(Outcome("wrote", seconds))
    await scene.work()
    assert scene.is_due_in(seconds, seconds)


async def test_a_revisit_at_once_is_at_once() -> None:
    scene = Scene(Outcome("wrote", 0.0))
    await scene.work()
    assert scene.due() is None or scene.is_due_in(0.0, 0.0)


async def test_an_object_that_is_gone_is_forgotten() -> None:
    scene = Scene(Outcome("gone"))
    await scene.work()
    assert scene.due() is None
    assert scene.queue.active == 0


@pytest.mark.parametrize(
    ("result", "reason"), [("stalled", "Forbidden"), ("refused", "QuotaExceeded")]
)
async def test_a_stalled_object_is_tried_again_with_back_off(
    quick: None, result: str, reason: str
) -> None:
    scene = Scene(*[Outcome(result, None, Trouble(reason, "It may not be."))] * 8)
    for _ in range(8):
        await scene.work()
    assert scene.is_due_in(0.064, 0.128)
    assert scene.counted("slipway_reconcile_errors_total", reason=reason) == 8
    assert scene.counted("slipway_reconcile_total", result=result) == 8


async def test_a_name_that_is_taken_is_tried_again_within_half_a_minute(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(*[Outcome("stalled", None, Trouble("NameConflict", "It is taken."))] * 9)
    for _ in range(8):
        await scene.work()
    monkeypatch.setattr(queue_module, "_FIRST_BACKOFF", 1.0)
    await scene.work()
    assert scene.is_due_in(15, 20)


async def test_a_status_that_was_not_written_does_not_wait_for_the_back_off() -> None:
    scene = Scene(Outcome("stalled", 0.1, Trouble("Forbidden", "No quota is left.")))
    await scene.work()
    assert scene.is_due_in(0.0, 0.1)


async def test_an_object_that_has_ended_is_looked_at_again_more_seldom() -> None:
    scene = Scene(Outcome("done", rests=True))
    await scene.work()
    assert scene.is_due_in(4 * 480, 4 * 600)


async def test_a_failure_that_lasts_is_told_and_one_of_the_api_server_is_not(quick: None) -> None:
    error = ZeroDivisionError()
    scene = Scene(error, error, error, Unavailable("away"), Outcome("done"), error)
    for told in (0, 0, 1, 1, 1, 1):
        await scene.work()
        assert len(scene.script.told) == told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unavailable("etcdserver: request is too large", 500), 1),
        (Lingering("Job job-train of the object's predecessor is still there."), 1),
        (Unavailable("connection refused"), 0),
        (Unavailable("overloaded", 429), 0),
        (Unavailable("no endpoints", 503), 0),
        (NamespaceGoing("it is being terminated", 403), 0),
    ],
)
async def test_what_an_object_waits_for_in_vain_is_told_on_it_after_a_while(
    error: Exception, told: int, quick: None
) -> None:
    scene = Scene(*[error] * 7)
    for _ in range(6):
        await scene.work()
        assert scene.script.told == []
    await scene.work()
    assert len(scene.script.told) == told


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Unavailable("away", 503), "ApiUnavailable"), (ZeroDivisionError(), "InternalError")],
)
async def test_one_objects_failure_is_counted_and_does_not_end_the_worker(
    error: Exception, reason: str
) -> None:
    scene = Scene(error, Outcome("done"))
    await scene.work()
    assert scene.counted("slipway_reconcile_errors_total", reason=reason) == 1
    await scene.work()
    assert scene.counted("slipway_reconcile_total", result="done") == 1


async def test_a_namespace_that_goes_is_no_error_of_the_operators() -> None:
    scene = Scene(NamespaceGoing("it is being terminated", 403))
    await scene.work()
    assert scene.counted("slipway_reconcile_total", result="refused") == 1
    assert scene.counted("slipway_reconcile_total", result="error") == 0
    assert scene.due() is not None


async def test_the_wait_that_the_api_server_asks_for_is_kept() -> None:
    scene = Scene(Unavailable("overloaded", 429, retry_after=30.0))
    await scene.work()
    assert scene.is_due_in(30.0, 30.0)


async def test_nothing_is_worked_on_before_the_gates_are_open() -> None:
    scene = Scene(Outcome("done"))
    synced, leading = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(scene.workers.run(2, synced.wait, leading.wait))
    scene.queue.add(REF)
    synced.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(scene.queue) == 1
    leading.set()
    async with asyncio.timeout(120):
        while scene.due() is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
    running.cancel()


async def test_a_reconcile_that_hangs_can_be_told() -> None:
    scene = Scene(Outcome("done"))
    assert scene.queue.longest == 0.0
    scene.queue.add(REF)
    await scene.queue.get()
    await asyncio.sleep(0)
    assert scene.queue.longest > 0.0


async def test_objects_that_want_nothing_leave_turns_to_everything_else() -> None:
    scene, turns = Scene(*[Outcome("done")] * 200), 0
    for number in range(200):
        scene.queue.add(ObjectRef(REF.api_version, REF.kind, "default", f"job-{number}"))
    work = asyncio.create_task(scene.workers.run(4))
    while len(scene.queue):
        turns += 1
        await asyncio.sleep(0)
    work.cancel()
    await asyncio.wait([work])
    assert turns >= 200 / 4


class Hanging:
    """A reconciler whose objects of the namespaces in ``slow`` wait until they are let go."""

    def __init__(self, *slow: str) -> None:
        self.slow = slow
        self.let_go = asyncio.Event()
        self.now: list[str] = []
        self.most = 0
        self.ended: list[ObjectRef] = []

    async def reconcile(self, ref: ObjectRef) -> Outcome:
        self.now.append(ref.namespace)
        self.most = max(self.most, len(self.now))
        if ref.namespace in self.slow:
            await self.let_go.wait()
        self.now.remove(ref.namespace)
        self.ended.append(ref)
        return Outcome("gone")


class Busy:
    """Two workers that take a reconcile for slow after a hundredth of a second."""

    def __init__(self, *slow: str) -> None:
        self.hanging = Hanging(*slow)
        self.queue: WorkQueue[ObjectRef] = WorkQueue(lane_of=lambda ref: ref.namespace, beside=1)
        reconciler = cast(Reconciler, self.hanging)
        self.running = asyncio.create_task(Workers(self.queue, reconciler, Metrics(), 600.0).run(2))

    def add(self, namespace: str, count: int) -> None:
        for number in range(count):
            self.queue.add(ObjectRef(REF.api_version, REF.kind, namespace, f"job-{number}"))

    async def ends(self, count: int) -> None:
        async with asyncio.timeout(120):
            while len(self.hanging.ended) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        self.running.cancel()
        await asyncio.wait([self.running])


@pytest.fixture
def soon_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "_SLOW_SECONDS", 0.01)


async def test_writes_that_take_long_in_one_namespace_hold_no_other_up(soon_slow: None) -> None:
    busy = Busy("slow")
    busy.add("slow", 12)
    busy.add("quick", 20)
    await busy.ends(20)
    assert {ref.namespace for ref in busy.hanging.ended} == {"quick"}
    assert busy.hanging.now == ["slow"] * 2
    busy.hanging.let_go.set()
    await busy.ends(32)
    await busy.close()


async def test_however_many_namespaces_are_slow_no_more_are_at_work_than_there_are_connections(
    soon_slow: None,
) -> None:
    names = [f"slow-{number}" for number in range(30)]
    busy = Busy(*names)
    for name in names:
        busy.add(name, 2)
    async with asyncio.timeout(120):
        while len(busy.hanging.now) < most_at_a_time(2):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    busy.hanging.let_go.set()
    await busy.ends(60)
    assert busy.hanging.most == most_at_a_time(2)
    busy.hanging.slow = ()
    busy.hanging.most = 0
    busy.add("quick", 20)
    await busy.ends(80)
    assert busy.hanging.most <= 2, "those that took others' places are gone"
    await busy.close()
