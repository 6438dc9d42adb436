"""What the packaging pod is told of ``spec.package.gates``."""

from collections.abc import Mapping
from typing import Any

from slipway.api.fields.number import comparisons
from slipway.api.training.gates import Gate
from slipway.api.training.package import Package


def questions(package: Package, reported: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the gates as `slipway_pods.package.gates` reads them; None where there is none.

    ``reported`` has the metrics of the training's last report, as decimal text; those that no gate
    asks for are left out.
    """
    if not package.gates:
        return None
    asked = {gate.metric for gate in package.gates}
    known = {name: value for name, value in reported.items() if name in asked}
    return {"gates": [_question(gate) for gate in package.gates], "reported": known}


def _question(gate: Gate) -> dict[str, Any]:
    compared = comparisons(gate.success_condition)
    return {
        "metric": gate.metric,
        "comparisons": [[comparison.sign, comparison.number] for comparison in compared],
    }
