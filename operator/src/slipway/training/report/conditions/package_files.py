"""The condition PackageFilesMissing: code that a package names and its source does not have.

It ends nothing, since the script may write what is missing; but nobody should learn of a slip of
the pen after days of training.
"""

from collections.abc import Collection, Iterator

from slipway.api import find
from slipway.api.training.package import Package
from slipway.training import reasons
from slipway.training.outcome import Finding
from slipway.training.snapshot import TrainingSnapshot

MAX_KEYS = 20
"""Most keys of a ConfigMap that a message names."""


def missing_files(snapshot: TrainingSnapshot) -> Finding | None:
    """Return the condition as the ConfigMap's keys have it; None where nothing was ever missing."""
    job, keys = snapshot.job, snapshot.source_keys
    before = find(job.status.conditions, reasons.PACKAGE_FILES_MISSING)
    source, package = job.spec.source_config_map, job.spec.package
    if keys is not None and source is not None and package is not None:
        missing = [f"package.{field} {name}" for field, name in _code(package) if name not in keys]
        if missing:
            message = (
                f"The ConfigMap {source.name} has no key for {', '.join(missing)}; its keys: "
                f"{shown(keys)}. Unless the script writes it to its output, the packaging will "
                "fail: correct the ConfigMap or spec.package, which may change at any time."
            )
            why = reasons.FILE_NOT_IN_SOURCE
            return Finding(reasons.PACKAGE_FILES_MISSING, True, why, message)
    elif before is not None and package is not None:
        return Finding(before.type, before.status == "True", before.reason, before.message)
    return found() if before else None


def found(message: str = "The files are there, or not needed any more.") -> Finding:
    """Return the condition where nothing is missing any more, or that is told elsewhere."""
    return Finding(reasons.PACKAGE_FILES_MISSING, False, reasons.FILES_FOUND, message)


def news(snapshot: TrainingSnapshot) -> Finding | None:
    """Return the condition where it is another than was told."""
    now = missing_files(snapshot)
    before = find(snapshot.job.status.conditions, reasons.PACKAGE_FILES_MISSING)
    shown = before is not None and (before.status == "True", before.message)
    return now if now is not None and shown != (now.status, now.message) else None


def over_or_missing(snapshot: TrainingSnapshot, packages: bool) -> Finding | None:
    """Return the condition beside others; once it is packaged, the packaging tells what is wrong.

    None where nothing was ever missing.
    """
    before = find(snapshot.job.status.conditions, reasons.PACKAGE_FILES_MISSING)
    if packages:
        told = "The training is over: what its package lacks, the packaging tells."
        return found(told) if before else None
    return missing_files(snapshot)


def shown(keys: Collection[str], most: int = MAX_KEYS) -> str:
    """Return names such as a ConfigMap's keys for a message, the first ones of many."""
    first = sorted(keys)[:most] + ["..."] * (len(keys) > most)
    return ", ".join(first) or "none"


def _code(package: Package) -> Iterator[tuple[str, str]]:
    """Yield the fields and names of what a script seldom writes: Python code and requirements."""
    handler = _file(package.handler)
    if handler.endswith(".py"):
        yield "handler", handler
    if package.model_file:
        yield "modelFile", package.model_file
    if package.requirements_file:
        yield "requirementsFile", package.requirements_file
    if package.samples and package.samples.evaluate:
        yield "samples.evaluate", _file(package.samples.evaluate)
    yield from (("extraFiles", name) for name in package.extra_files if name.endswith(".py"))


def _file(name: str) -> str:
    """Return the file that ``NAME.py:function`` names."""
    return name if name.endswith(".py") else name.rpartition(":")[0]
