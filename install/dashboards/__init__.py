"""Grafana dashboards of the chart, built by code: ``make manifests`` writes them as JSON."""

import json
from collections.abc import Callable

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from install.dashboards import fleet, operator, rollout, serving, training

ALL: dict[str, Callable[[], Dashboard]] = {
    "fleet": fleet.dashboard,
    "training": training.dashboard,
    "serving": serving.dashboard,
    "rollout": rollout.dashboard,
    "operator": operator.dashboard,
}
"""Each dashboard's builder, by the name of its file."""


def files() -> dict[str, str]:
    """Return the dashboards as JSON text: file name -> text, the same each time."""
    return {f"{name}.json": _json(build()) for name, build in ALL.items()}


def _json(dashboard: Dashboard) -> str:
    text = JSONEncoder(sort_keys=True, indent=2).encode(dashboard.build())
    return json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
