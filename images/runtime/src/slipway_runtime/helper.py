"""What a training script calls: the process group, reports of progress, and the end in time."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway_runtime.reporting import agreement, gpu, progress
from slipway_runtime.reporting.leaving import leave_at_exit
from slipway_runtime.reporting.pace import Pacer
from slipway_runtime.reporting.stopping import Criteria, Stopper


@dataclass(frozen=True)
class World:
    """This process among all that train together.

    ``device`` is torch's name of the device to use: ``cuda:N`` with the NCCL backend, else ``cpu``.
    """

    rank: int
    size: int
    local_rank: int
    device: str

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and reports: rank 0."""
        return self.rank == 0


class Reporter:
    """What one process knows of its own reports."""

    def __init__(self) -> None:
        self.pacer = Pacer()
        self.stopper = Stopper(Criteria.from_json(os.environ.get("SLIPWAY_STOP", "")))
        self.kept = {*self.stopper.metrics, *progress.gate_metrics()}
        self.notes = progress.Notes()
        self.last: dict[str, Any] | None = None

    def first_things_first(self, metrics: Mapping[Any, Any]) -> dict[Any, Any]:
        """Return metrics with those that the spec goes by before those that may be cut.

        ``spec.stop`` and ``spec.package.gates`` name them.
        """
        return dict(sorted(metrics.items(), key=lambda one: one[0] not in self.kept))

    def take(self, report: dict[str, Any], samples: float | None) -> None:
        """Complete a report by what follows from it and those before, and write it."""
        self.stopper.observe(report["epoch"], report["metrics"])
        pace = self.pacer.update(report["time"], report["step"], report["totalSteps"], samples)
        report.update(
            stepsPerSecond=pace.steps_per_second,
            samplesPerSecond=pace.samples_per_second,
            etaSeconds=pace.eta_seconds,
            gpu=gpu.usage(),
            stopReason=self.stopper.reason(),
        )
        self.last = report
        self.write()

    def stop_reason(self) -> str | None:
        """Return why the training should end, and let the last report tell it."""
        reason = self.stopper.reason()
        if reason and self.last and self.last["stopReason"] != reason:
            self.last["stopReason"] = reason
            self.write()
        return reason

    def write(self) -> None:
        """Write the last report where the sidecar reads it; nothing outside Slipway."""
        folder = os.environ.get("SLIPWAY_RUN_DIR")
        if not folder or self.last is None:
            return
        try:
            progress.write(folder, self.last)
        except OSError as error:
            print(f"slipway: progress was not written: {error}", file=sys.stderr)


_reporter: Reporter | None = None


def reporter() -> Reporter:
    """Return this process' reporter; its clock starts with the first call."""
    global _reporter
    if _reporter is None:
        _reporter = Reporter()
    return _reporter


def init() -> World:
    """Set the process group up, and return this process' place in it.

    The backend is the one that the operator chose by the pod's devices; outside Slipway it is NCCL
    where CUDA is available, else Gloo. Under plain ``python`` the world has one process. A second
    call returns the same world. A group of Gloo's is left at the process' end.
    """
    import torch
    import torch.distributed as dist

    reporter()
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    backend = os.environ.get("SLIPWAY_BACKEND") or ("nccl" if torch.cuda.is_available() else "gloo")
    device = f"cuda:{local_rank}" if backend == "nccl" else "cpu"
    options: dict[str, Any] = {}
    if backend == "nccl":
        torch.cuda.set_device(local_rank)
        options["device_id"] = torch.device(device)
    if "RANK" not in os.environ:
        options.update(store=dist.HashStore(), rank=0, world_size=1)
    if not dist.is_initialized():
        dist.init_process_group(backend, **options)
    if dist.get_backend() == "gloo":
        leave_at_exit(dist.group.WORLD)
    return World(dist.get_rank(), dist.get_world_size(), local_rank, device)


def report(*position: Any, epoch: Any = None, samples: Any = None, **metrics: Any) -> None:
    """Tell how far the training is: ``report(step, total=None, metrics={}, epoch=, samples=)``.

    ``step`` counts from 0 in whatever unit the script likes, ``total`` is its planned end,
    ``epoch`` how many epochs are done, ``samples`` how many samples all processes have used up
    since the report before. Only rank 0's word counts. Metrics are numbers, or tensors of one
    element, given by a mapping or as more keywords; in a mapping they may have any name, ``step``
    and ``epoch`` too. A report never stops what it reports on: what cannot be shown is left out,
    and said once on stderr. Outside Slipway nothing is written.
    """
    if os.environ.get("RANK", "0") != "0":
        return
    own = reporter()
    given = _Given.sort(position, metrics, own.notes)
    metrics = own.first_things_first(given.metrics)
    made = progress.document(given.step, given.total, epoch, metrics, own.notes)
    if made is not None:
        own.take(made, progress.number(samples))


@dataclass(frozen=True)
class _Given:
    """The arguments of a report, sorted."""

    step: Any
    total: Any
    metrics: Mapping[Any, Any]

    @classmethod
    def sort(cls, position: Sequence[Any], named: dict[str, Any], notes: progress.Notes) -> _Given:
        """Sort arguments; a keyword whose place is taken already is a metric of that name."""
        places = dict(zip(("step", "total", "metrics"), position))
        if len(position) > len(places):
            notes.say("position", "it takes step, total and metrics by position: others are lost")
        for name in ("step", "total"):
            if name not in places and name in named:
                places[name] = named.pop(name)
        if "metrics" not in places and isinstance(named.get("metrics"), Mapping):
            places["metrics"] = named.pop("metrics")
        mapping = _read(places.get("metrics"), notes)
        return cls(places.get("step"), places.get("total"), {**mapping, **named})


def _read(metrics: Any, notes: progress.Notes) -> Mapping[Any, Any]:
    """Return what a mapping of metrics holds; nothing, with a word, of what is none."""
    if metrics is None:
        return {}
    if not isinstance(metrics, Mapping):
        notes.say("metrics", "its third argument is no mapping of metrics: it is left out")
        return {}
    try:
        return {**metrics}
    except Exception as error:  # a library's own mapping may raise anything
        why = progress.shown(error)
        notes.say("metrics", f"its mapping of metrics cannot be read: {why}")
        return {}


def should_stop() -> bool:
    """Tell whether a criterion of ``spec.stop`` holds, by what was reported.

    All ranks get the same answer, so all must ask: it is a collective call where a process group is
    set up. Without ``spec.stop``, and outside Slipway, it is always False.
    """
    text = os.environ.get("SLIPWAY_STOP", "")
    if not text or text == "{}":
        return False
    main = os.environ.get("RANK", "0") == "0"
    (stop,) = agreement.any_of(bool(main and reporter().stop_reason()))
    return stop
