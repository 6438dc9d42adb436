"""``make scale``: the operator beside what it costs to create the same without it.

``ratio`` is of the times until all is up, ``CPU ratio`` of the processor seconds that API server,
etcd, Kubernetes' controllers and the operator spend on it: on a machine that does other things too
the second is the one to trust. CPU, peak memory and requests are the operator's.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.scale.measure import (
    Load,
    Measured,
    measure,
    model_deployments,
    plain_jobs,
    their_children,
    training_jobs,
)

Make = Callable[[int], Load]
PAIRS: dict[str, tuple[Make, Make]] = {
    "TrainingJob": (plain_jobs, training_jobs),
    "ModelDeployment": (their_children, model_deployments),
}
CASES = (("TrainingJob", 200), ("TrainingJob", 500), ("ModelDeployment", 300))
LINE = "{:<22} {:>9} {:>9} {:>6} {:>9} {:>8} {:>8}  {}"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the cases that are asked for, and print a line for each."""
    parser = argparse.ArgumentParser(prog="tests.scale", description=__doc__)
    parser.add_argument("cases", nargs="*", help="KIND=COUNT; by default all that README names")
    parser.add_argument("--details", action="store_true", help="print requests by resource too")
    parser.add_argument("--log", type=Path, help="folder that keeps the operator's logs")
    arguments = parser.parse_args(argv)
    cases = [(kind, int(count)) for kind, count in (one.split("=") for one in arguments.cases)]
    print(
        LINE.format("", "without", "with", "ratio", "CPU ratio", "CPU", "peak", "requests by verb")
    )
    with tempfile.TemporaryDirectory() as temporary:
        for kind, count in cases or CASES:
            folder = (arguments.log or Path(temporary)) / f"{kind}-{count}"
            folder.mkdir(parents=True, exist_ok=True)
            _print(f"{count} {kind}s", *_run(kind, count, folder), details=arguments.details)


def _run(kind: str, count: int, folder: Path) -> tuple[Measured, Measured]:
    without, with_operator = PAIRS[kind]
    return measure(without(count), folder), measure(with_operator(count), folder)


def _print(name: str, without: Measured, found: Measured, *, details: bool) -> None:
    verbs = ", ".join(f"{verb} {count}" for verb, count in sorted(found.requests.items()))
    print(
        LINE.format(
            name,
            f"{without.seconds:.1f} s",
            f"{found.seconds:.1f} s",
            f"{found.seconds / without.seconds:.2f}",
            f"{found.work / without.work:.2f}",
            f"{found.cpu:.1f} s",
            f"{found.memory:.0f} MiB",
            verbs,
        ),
        flush=True,
    )
    if details:
        for (verb, resource), count in found.details.most_common():
            print(f"    {verb} {resource}: {count}")


if __name__ == "__main__":
    main()
