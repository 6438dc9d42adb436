"""What the packaging pod said of an archive: its status, a row for each gate, and the verdict."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from slipway.api import TrainingJob
from slipway.api.excerpt import excerpt
from slipway.api.training.gates import MAX_GATE_MESSAGE, Gate, GateStatus
from slipway.api.training.package import Package
from slipway.api.training.status import PackageStatus
from slipway.training.children import names, trust
from slipway.training.observed.jobs import JobView
from slipway.training.observed.last_words import LastWord
from slipway.training.report.conditions.package_files import shown
from slipway.training.stages.ending import told

_MOST_NAMES = 8
"""Most metrics that a message names in place of one that nobody reported."""


def package_status(
    job: TrainingJob, live: JobView, word: LastWord | None, facts: Mapping[str, object]
) -> PackageStatus | None:
    """Return what was made; where it lies is what the packager was told, not what it says.

    None where the packager left no word that says it.
    """
    if word is None:
        return None
    said, package = word.mapping("package"), job.spec.package
    uri = told(live, names.PACKAGER, "SLIPWAY_PACKAGE_URI")
    lineage = told(live, names.PACKAGER, "SLIPWAY_LINEAGE_URI")
    places = {
        "uri": uri,
        "signatureUri": trust.signature_uri(uri, package),
        "lineageUri": lineage,
        **trust.documents(lineage, said),
    }
    try:
        judged = rows(package, said.get("gates", []), _reported(job))
        if judged is None:
            return None
        made = PackageStatus.model_validate({**said, **places, **facts, "gates": None})
    except ValidationError:
        return None
    made = made.model_copy(update={"gates": judged or None})
    return made.model_copy(update={"signature_uri": None}) if made.missed else made


def _reported(job: TrainingJob) -> Collection[str]:
    """Return the names of the metrics of the training's last report."""
    return job.status.progress.metrics if job.status.progress else ()


def rows(
    package: Package | None, said: object, reported: Collection[str] = ()
) -> list[GateStatus] | None:
    """Return the status of each gate by the packager's word; None where that is no such word.

    ``reported`` are the metrics of the training's last report, for a gate on one that it lacks.
    ``said`` is a list of objects in the order of the gates, with ``value`` (decimal text|null) and
    ``verdict``; those of later releases have ``source`` too and, of gates with ratios, what
    `_of_served` reads. Raises pydantic's ValidationError for a row of another shape.
    """
    found = said if isinstance(said, list) else []
    if package is None:
        return None if found else []
    if len(found) != len(package.gates):
        return None
    nobody, pairs = _nobody(package, reported), zip(package.gates, found, strict=True)
    return [_row(package, gate, row, nobody) for gate, row in pairs]


def _row(package: Package, gate: Gate, said: Any, nobody: str) -> GateStatus:
    known = said if isinstance(said, dict) else {}
    read = {name: known.get(name) for name in ("verdict", "value", "source", "servedValue")}
    row = GateStatus.model_validate({"metric": gate.metric, **read})
    sentence = (
        f"{gate.metric} is not known: {nobody}"
        if row.value is None
        else _sentence(package, gate, row, known)
    )
    return row.model_copy(update={"message": excerpt(sentence, MAX_GATE_MESSAGE)})


def _sentence(package: Package, gate: Gate, row: GateStatus, said: Mapping[str, Any]) -> str:
    holds = row.verdict == "Successful"
    missed = said.get("missed")
    told = missed if isinstance(missed, list) and missed and not holds else None
    words = []
    if gate.success_condition is not None:
        met = holds if told is None else "successCondition" not in told
        words.append(f"{gate.success_condition} {_held(met)}")
    for field, ratio in gate.ratios.items():
        met = holds if told is None else field not in told
        words.append(f"{field} {ratio} {_held(met)}")
    served = f" ({_of_served(package, row, said)})" if gate.ratios else ""
    return f"{gate.metric} is {row.value}, and {' and '.join(words)}{served}"


def _held(holds: bool) -> str:
    return "holds" if holds else "does not hold"


def _nobody(package: Package, reported: Collection[str]) -> str:
    """Return who does not have a figure, and some that the training reported."""
    there = f"; it has {shown(reported, _MOST_NAMES)}" if reported else ""
    if package.samples and package.samples.evaluate:
        return f"neither samples.evaluate nor the training's last report has it{there}"
    return f"the training's last report does not have it{there}"


def _of_served(package: Package, row: GateStatus, said: Mapping[str, Any]) -> str:
    """Return what a figure was compared with, or why it was not."""
    name = package.compared_with.name if package.compared_with else ""
    if row.served_value is not None:
        return f"ModelDeployment {name} serves {row.served_value}"
    why = said.get("notCompared")
    known = _NOT_COMPARED.get(why) if isinstance(why, str) else None
    return (known or "it was not compared with what ModelDeployment {name} serves").format(
        name=name
    )


_NOT_COMPARED = {
    "NothingServed": "ModelDeployment {name} serves nothing yet that it could be compared with",
    "NoRecord": "there is no record of the archive that ModelDeployment {name} serves",
    "NotRecorded": "the record of the archive that ModelDeployment {name} serves does not have it",
    "OtherRows": "what ModelDeployment {name} serves was measured on other rows",
    "OtherEvaluation": "what ModelDeployment {name} serves was evaluated by another program, or "
    "its record does not say by which",
    "Negative": "the figure of what ModelDeployment {name} serves is below 0 and has no ratios",
}
"""Why a figure was not compared, by the packager's word."""


def verdict(package: PackageStatus) -> str:
    """Return the sentence on an archive that missed a gate."""
    missed = "; ".join(gate.message for gate in package.missed)
    return (
        f"The package is rejected: {missed}. The archive is kept at {package.uri}, and no "
        "ModelDeployment serves it."
    )
