"""``make scale``: the operator beside what it costs to create the same without it.

Seconds are those until all is up. CPU seconds are those of API server, etcd, Kubernetes' own
controllers and the operator together: on a machine that does other things too, their ratio is the
one to trust. Each line is measured on a control plane of its own, one after the other.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.scale.measure import (
    Load,
    Measured,
    measure,
    model_deployments,
    plain_groups,
    plain_jobs,
    prepared,
    same_jobs,
    same_jobs_alone,
    settle,
    their_children,
    training_jobs,
)
from tests.scale.resident import observe, write_ended

Make = Callable[[int], Load]
KINDS: dict[str, tuple[Make, dict[str, Make]]] = {
    "TrainingJob": (
        training_jobs,
        {
            "plain Indexed Jobs": plain_jobs,
            "these, each with a Service": plain_groups,
            "the same Jobs and Services": same_jobs,
            "the same Jobs alone": same_jobs_alone,
        },
    ),
    "ModelDeployment": (model_deployments, {"the same children": their_children}),
}
ENDED = "Ended"
"""The case of TrainingJobs that have ended, and of a tenth as many deployments that serve."""
CASES = (("TrainingJob", 200), ("TrainingJob", 500), ("ModelDeployment", 300), (ENDED, 10_000))
HEAD = ("", "seconds", "ratio", "CPU s", "ratio", "operator's CPU", "peak MiB", "requests by verb")
LINE = "{:<34} {:>7} {:>6} {:>7} {:>6} {:>14} {:>9}  {}"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the cases that are asked for, and print a line for each and for its baselines."""
    parser = argparse.ArgumentParser(prog="tests.scale", description=__doc__)
    parser.add_argument("cases", nargs="*", help="KIND=COUNT; by default all that README names")
    parser.add_argument("--idle", type=float, default=300, help="seconds of idling to measure")
    parser.add_argument("--details", action="store_true", help="print requests by resource too")
    parser.add_argument("--log", type=Path, help="folder that keeps the operator's logs")
    arguments = parser.parse_args(argv)
    cases = [(kind, int(count)) for kind, count in (one.split("=") for one in arguments.cases)]
    print(LINE.format(*HEAD))
    with tempfile.TemporaryDirectory() as temporary:
        for kind, count in cases or CASES:
            folder = (arguments.log or Path(temporary)) / f"{kind}-{count}"
            folder.mkdir(parents=True, exist_ok=True)
            if kind == ENDED:
                _lie_there(count, folder, arguments.idle)
            else:
                _run(kind, count, folder, details=arguments.details)


def _lie_there(count: int, folder: Path, idle: float) -> None:
    """Measure the operator beside jobs that have ended and a tenth as many deployments."""
    serving = count // 10
    with prepared(nodes=50) as plane:
        asyncio.run(write_ended(plane, count))
        settle(plane)
        found = observe(plane, folder, serving, idle)
    print(f"{count} TrainingJobs that have ended, and {serving} ModelDeployments that serve:")
    print(f"  memory {found.memory:.0f} MiB, {found.peak:.0f} at most")
    print(f"  idle {found.idle:.2f} CPU s a minute")
    print(f"  held up by a scrape for {found.hold * 1000:.0f} ms at most")
    print(f"  ready {found.ready:.1f} s after a restart, which takes {found.start:.1f} CPU s")
    print(f"  {found.alone:.1f} s while Kubernetes' controllers are stopped")
    print(f"  the lists of that, read by a program that keeps nothing: {found.lists:.1f} s")
    print(f"  a new TrainingJob's Job {found.job:.2f} s after its creation then", flush=True)


def _run(kind: str, count: int, folder: Path, *, details: bool) -> None:
    make, baselines = KINDS[kind]
    found = measure(make(count), folder)
    verbs = ", ".join(f"{verb} {number}" for verb, number in sorted(found.requests.items()))
    own = (f"{found.cpu:.1f}", f"{found.memory:.0f}", verbs)
    print(LINE.format(f"{count} {kind}s", *_pair(found, None), *own), flush=True)
    for name, baseline in baselines.items():
        without = measure(baseline(count), folder)
        print(LINE.format(f"  beside {name}", *_pair(without, found), "", "", ""), flush=True)
    if details:
        for (verb, resource), number in found.details.most_common():
            print(f"    {verb} {resource}: {number}")


def _pair(one: Measured, found: Measured | None) -> tuple[str, str, str, str]:
    """Return seconds and CPU seconds of one, and by how much those of ``found`` are more."""
    times = f"{found.seconds / one.seconds:.2f}" if found else ""
    work = f"{found.work / one.work:.2f}" if found else ""
    return f"{one.seconds:.1f}", times, f"{one.work:.1f}", work


if __name__ == "__main__":
    main()
