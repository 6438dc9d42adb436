"""The reconcile loop of one object: observe, plan, act, then one status write, then events."""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, TypeVar

from slipway.accounts.credentials import Credentials
from slipway.accounts.errors import CredentialError
from slipway.api.common import OwnerLike
from slipway.controller.loop.observer import Observation
from slipway.controller.loop.parse import InvalidObject, parse
from slipway.controller.loop.status_writer import StatusWriter, Trouble, overlay
from slipway.controller.whole import Unread, Whole
from slipway.kube.errors import (
    Conflict,
    KubeError,
    NameConflict,
    Rejected,
    Told,
    WebhookFailed,
    reason_for,
    told_reason,
)
from slipway.kube.reasons import INVALID_SPEC, NAMESPACE_TOO_LARGE, OF_AUTHORS
from slipway.kube.watched.cache import Cache
from slipway.kube.watched.identity import version_of
from slipway.kube.watched.slim import has_ended
from slipway.kube.writes.apply import Writer
from slipway.kube.writes.events import EventRecorder
from slipway.plan import Event, Manifest, ObjectRef, Plan, Removal
from slipway.settings import Settings
from slipway.telemetry.metrics import Metrics

_LOG = logging.getLogger(__name__)
_SEE_OWN_WRITES = 1.0
"""After writes to children the object is looked at again in so many seconds."""
_CHANGED_MEANWHILE = 0.1
"""An object that changed while it was planned for is planned for anew in so many seconds."""
_MESSAGE_CHARACTERS = 512
"""How much of an unforeseen error is told to users."""

_STORE_AGAIN = 15.0
"""An object whose pods have what opens the store, and whose namespace's Secret could not be made
right, is looked at again in so many seconds."""

_WORKLOADS = frozenset({"Deployment", "Job"})


@dataclass(frozen=True)
class Step:
    """One request of a plan: its verb, what it is about, and how it is sent.

    ``send`` tells whether it wrote.
    """

    what: str
    ref: ObjectRef
    send: Callable[[], Awaitable[bool]]

    @property
    def makes_pods(self) -> bool:
        """Whether pods come of it."""
        return self.what == "apply" and self.ref.kind in _WORKLOADS


@dataclass(frozen=True)
class Acted:
    """How far a plan was carried out: whether anything was written, and what stands in the way."""

    wrote: bool
    trouble: Trouble | None
    again: float | None


Model = TypeVar("Model", bound=OwnerLike)


@dataclass(frozen=True)
class Controlled(Generic[Model]):
    """A kind under control: its model, how it is observed, and how it is planned."""

    model: type[Model]
    observe: Callable[[Model, Manifest], Awaitable[Observation]]
    plan: Callable[[Any, Settings, datetime], Plan]


@dataclass(frozen=True)
class Outcome:
    """How a reconcile ended: when to look again (None: at the resync), and what went wrong.

    ``result`` is one of ``done`` (nothing to do), ``wrote``, ``gone``, ``invalid``, ``stalled``,
    and ``refused``: stalled by what the object's author can mend.
    ``rests``: the object has ended, and only its deletion or its time to live is left.
    """

    result: str
    revisit: float | None = None
    trouble: Trouble | None = None
    rests: bool = False


def stalled(trouble: Trouble, revisit: float | None) -> Outcome:
    """Return the outcome of a reconcile that trouble keeps from going on."""
    return Outcome("refused" if trouble.reason in OF_AUTHORS else "stalled", revisit, trouble)


def _earliest(*moments: float | None) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)


class Reconciler:
    """Reconciles objects of the kinds in ``kinds``, by their names."""

    def __init__(
        self,
        kinds: Mapping[str, Controlled[Any]],
        cache: Cache,
        writer: Writer,
        credentials: Credentials,
        statuses: StatusWriter,
        events: EventRecorder,
        settings: Settings,
        metrics: Metrics,
        whole: Whole,
        remove: Callable[[Removal, Manifest], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._remove = remove
        self._whole = whole
        self._kinds = kinds
        self._cache = cache
        self._writer = writer
        self._credentials = credentials
        self._statuses = statuses
        self._events = events
        self._settings = settings
        self._metrics = metrics
        self._clock = clock

    async def reconcile(self, ref: ObjectRef) -> Outcome:
        """Bring the cluster one step closer to what an object asks for.

        Raises ``KubeError`` where the API server failed in a way that passes by itself.
        """
        obj = self._cache.get(ref)
        if obj is None:
            return await self._leave(ref.namespace)
        if obj["metadata"].get("deletionTimestamp"):
            return Outcome("gone")
        unread = await self._whole.unread(ref)
        if unread is not None:
            return await self._tell_unread(obj, unread)
        obj = self._cache.get(ref) or obj
        kind = self._kinds[ref.kind]
        try:
            model = parse(kind.model, obj)
        except InvalidObject as error:
            trouble = Trouble(INVALID_SPEC, str(error))
            return Outcome("invalid", await self._report(obj, Plan(), trouble), trouble)
        try:
            place = await self._credentials.place(ref.namespace, obj["metadata"]["uid"])
        except (CredentialError, Rejected) as error:
            told = self._why(error, obj) if isinstance(error, Rejected) else error.reason
            trouble = Trouble(told, error.message)
            return stalled(trouble, await self._report(obj, Plan(), trouble))
        observation = await kind.observe(model, obj)
        plan = kind.plan(observation.snapshot, self._settings.at(place), self._clock())
        return await self._carry_out(obj, plan, observation.revisit)

    async def _tell_unread(self, obj: Manifest, unread: Unread) -> Outcome:
        """Tell on an object that there is no room in memory for all of it."""
        trouble = Trouble(NAMESPACE_TOO_LARGE, f"Nothing is done for this object: {unread.why}.")
        pending = await self._report(obj, Plan(), trouble)
        return Outcome("invalid", _earliest(pending, unread.again), trouble)

    async def _leave(self, namespace: str) -> Outcome:
        """Take what opens the store away from a namespace whose last object is gone."""

        def unused() -> bool:
            return not any(namespace in self._cache.namespaces(kind) for kind in self._kinds)

        if unused():
            self._metrics.namespace_left(namespace)
            ref = ObjectRef("v1", "Secret", namespace, self._settings.store.secret_name)
            self._count("Secret", "delete", await self._writer.drop_shared(ref, unused))
            try:
                await self._credentials.remove(namespace)
            except CredentialError as error:
                return stalled(Trouble(error.reason, error.message), None)
        return Outcome("gone")

    async def _carry_out(self, obj: Manifest, plan: Plan, revisit: float | None) -> Outcome:
        acted = await self._act(obj, plan)
        pending = await self._report(obj, plan, acted.trouble)
        if acted.trouble is not None:
            return stalled(acted.trouble, _earliest(pending, plan.ends_in))
        if plan.removal is not None:
            self._remove(plan.removal, obj)
        when = _earliest(plan.requeue_after, revisit, pending, acted.again)
        return Outcome("wrote" if acted.wrote else "done", when, rests=has_ended(obj))

    async def _act(self, obj: Manifest, plan: Plan) -> Acted:
        """Carry out applies, patches and deletes.

        What is refused stops nothing but the pods that may need it: those of workloads further on
        in the plan are not made. While the store is away, workloads that are there go on.
        """
        wrote, trouble, locked = False, None, None
        for step in self._steps(obj, plan):
            if step.makes_pods and locked is not None and self._cache.get(step.ref) is None:
                trouble = trouble or Trouble(locked.reason, locked.message)
            if step.makes_pods and trouble is not None:
                continue
            try:
                wrote |= self._count(step.ref.kind, step.what, await step.send())
            except CredentialError as error:
                locked = error
            except (Rejected, NameConflict, WebhookFailed) as error:
                trouble = trouble or Trouble(self._why(error, obj), error.message)
        again = _earliest(_SEE_OWN_WRITES if wrote else None, _STORE_AGAIN if locked else None)
        return Acted(wrote, trouble, again)

    def _why(self, error: Told, obj: Manifest) -> str:
        return reason_for(error, obj, self._settings.fence)

    def _steps(self, obj: Manifest, plan: Plan) -> Iterator[Step]:
        """Yield the steps of a plan, in order."""
        writer = self._writer
        for manifest in plan.apply:
            yield Step("apply", ObjectRef.of(manifest), partial(writer.apply, manifest, obj))
        for patch in plan.patch:
            yield Step("patch", patch.ref, partial(writer.patch, patch))
        for delete in plan.delete:
            yield Step("delete", delete.ref, partial(writer.delete, delete))

    def _count(self, kind: str, what: str, wrote: bool) -> bool:
        if wrote:
            self._metrics.writes.labels(kind, what).inc()
            _LOG.info("Sent: %s of %s", what, kind)
        return wrote

    async def _report(self, planned: Manifest, plan: Plan, trouble: Trouble | None) -> float | None:
        """Write status and events; return in how many seconds a put-off status write is due.

        A namesake that has taken the place of the planned object meanwhile gets neither. An object
        that changed meanwhile is planned for anew.
        """
        ref = ObjectRef.of(planned)
        obj = self._cache.get(ref)
        if obj is None or obj["metadata"]["uid"] != planned["metadata"]["uid"]:
            return None
        if version_of(obj) != version_of(planned):
            return _CHANGED_MEANWHILE
        status = overlay(obj, plan.status, trouble, self._clock())
        pause = self._statuses.pause(obj, status) if status is not None else None
        if status is not None and pause == 0:
            try:
                there = await self._statuses.write(obj, status)
            except Conflict:
                return _CHANGED_MEANWHILE
            if self._count(ref.kind, "status", there):
                self._metrics.status_written(obj, status)
            pause = None
        self._tell(obj, plan, trouble)
        return pause

    async def tell_failure(self, ref: ObjectRef, error: Exception) -> None:
        """Tell on an object that reconciling it fails, as far as that can be told there."""
        obj = self._cache.get(ref)
        if obj is None:
            return
        trouble = Trouble(told_reason(error), _sentence(error))
        try:
            await self._report(obj, Plan(), trouble)
        except KubeError as refusal:
            _LOG.warning("The failure could not be told in the status: %s", refusal)
            self._tell(obj, Plan(), trouble)

    def _tell(self, obj: Manifest, plan: Plan, trouble: Trouble | None) -> None:
        events = plan.events
        if trouble is not None:
            events = (Event("Warning", trouble.reason, trouble.message),)
        for event in events:
            self._events.record(obj, event)


def _sentence(error: Exception) -> str:
    """Return what is told of an error: of one that nobody foresaw, its first line."""
    if isinstance(error, KubeError):
        return error.message[:_MESSAGE_CHARACTERS]
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:_MESSAGE_CHARACTERS]


def reason_of(error: Exception) -> str:
    """Return the word that stands for an error in metrics and conditions."""
    return error.reason if isinstance(error, KubeError) else "InternalError"
