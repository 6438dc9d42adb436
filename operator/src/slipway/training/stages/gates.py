"""What the packaging pod said of an archive: its status, a row for each gate, and the verdict."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from slipway.api import TrainingJob
from slipway.api.excerpt import excerpt
from slipway.api.training.gates import MAX_GATE_MESSAGE, Gate, GateStatus
from slipway.api.training.status import PackageStatus
from slipway.training.children import names, trust
from slipway.training.observed.jobs import JobView
from slipway.training.observed.last_words import LastWord
from slipway.training.stages.ending import told


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
        judged = rows(package.gates if package else [], said.get("gates", []))
        if judged is None:
            return None
        made = PackageStatus.model_validate({**said, **places, **facts, "gates": None})
    except ValidationError:
        return None
    made = made.model_copy(update={"gates": judged or None})
    return made.model_copy(update={"signature_uri": None}) if made.missed else made


def rows(gates: Sequence[Gate], said: object) -> list[GateStatus] | None:
    """Return the status of each gate by the packager's word; None where that is no such word.

    ``said`` is ``[{"value": decimal text|null, "verdict": str}]``, in the order of the gates.
    Raises pydantic's ValidationError for a row of another shape.
    """
    rows = said if isinstance(said, list) else []
    if len(rows) != len(gates):
        return None
    return [_row(gate, row) for gate, row in zip(gates, rows, strict=True)]


def _row(gate: Gate, said: Any) -> GateStatus:
    known = said if isinstance(said, dict) else {}
    read = {name: known.get(name) for name in ("verdict", "value")}
    row = GateStatus.model_validate({"metric": gate.metric, **read})
    return row.model_copy(update={"message": excerpt(_sentence(gate, row), MAX_GATE_MESSAGE)})


def _sentence(gate: Gate, row: GateStatus) -> str:
    if row.value is None:
        return f"{gate.metric} is not known: the training's last report does not have it"
    holds = "holds" if row.verdict == "Successful" else "does not hold"
    return f"{gate.metric} is {row.value}, and {gate.success_condition} {holds}"


def verdict(package: PackageStatus) -> str:
    """Return the sentence on an archive that missed a gate."""
    missed = "; ".join(gate.message for gate in package.missed)
    return (
        f"The package is rejected: {missed}. The archive is kept at {package.uri}, and no "
        "ModelDeployment serves it."
    )
