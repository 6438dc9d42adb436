"""What the packaging pod is told of ``spec.package.gates``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.api import TrainingJob
from slipway.api.fields.number import comparisons
from slipway.api.training.gates import Gate
from slipway.api.training.package import Package
from slipway.settings import StoreSettings
from slipway.store import LINEAGE
from slipway.uris import refusal


@dataclass(frozen=True)
class Served:
    """The archive that a ModelDeployment serves: its URI, and its digest.

    ``uri`` is empty where a revision serves whose archive nobody knows any more.
    """

    uri: str = ""
    sha256: str = ""


def questions(
    package: Package, reported: Mapping[str, str], compared: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """Return the gates as `slipway_pods.package.gates` reads them; None where there is none.

    ``reported`` has the metrics of the training's last report, as decimal text; those that no gate
    asks for are left out. ``compared`` is as `record_of` has it.
    """
    if not package.gates:
        return None
    known = {name: value for name, value in reported.items() if name in package.gated}
    told: dict[str, Any] = {"gates": [_question(gate) for gate in package.gates], "reported": known}
    if any(gate.ratios for gate in package.gates):
        told["served"] = compared
    return told


def _question(gate: Gate) -> dict[str, Any]:
    compared = comparisons(gate.success_condition) if gate.success_condition else ()
    return {
        "metric": gate.metric,
        "comparisons": [[comparison.sign, comparison.number] for comparison in compared],
        **({"ratios": gate.ratios} if gate.ratios else {}),
    }


def record_of(
    job: TrainingJob, served: Served | None, store: StoreSettings
) -> dict[str, str] | None:
    """Return where the packager finds the figures of the archive that is served.

    None where nothing is served. Without a ``lineageUri`` there is no record that it may read: the
    store's own credentials open the namespace's places alone, and it has no others.
    """
    if served is None:
        return None
    told = {"sha256": served.sha256}
    if refusal(served.uri, job.metadata.namespace, store.places):
        return told
    return {**told, "lineageUri": f"{served.uri.rpartition('/')[0]}/{LINEAGE}"}
