"""What ``package.gates`` said of an archive: the rows of the status, and the job's end by them."""

from collections.abc import Sequence
from typing import Any

from slipway.api.excerpt import excerpt
from slipway.api.training.gates import MAX_GATE_MESSAGE, Gate, GateStatus
from slipway.api.training.status import PackageStatus


def rows(gates: Sequence[Gate], said: object) -> list[GateStatus] | None:
    """Return the status of each gate by the packager's word; None where that is no such word.

    ``said`` is ``[{"value": decimal text|null, "verdict": str}]``, in the order of the gates.
    Raises pydantic's ValidationError for a row of another shape.
    """
    found = said if isinstance(said, list) else []
    if len(found) != len(gates):
        return None
    return [_row(gate, row) for gate, row in zip(gates, found, strict=True)]


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
