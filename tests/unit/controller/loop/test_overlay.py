"""What a status says while the plan for it cannot be carried out."""

from datetime import UTC, datetime
from typing import Any

import pytest

from slipway.controller.loop.status_writer import Trouble, overlay

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BEFORE = "2026-01-01T00:00:00Z"
TAKEN = Trouble("NameConflict", "The namespace already has a Service named web.")


def ready(status: str, reason: str) -> dict[str, Any]:
    return {"type": "Ready", "status": status, "reason": reason, "lastTransitionTime": BEFORE}


def deployment(*conditions: dict[str, Any]) -> dict[str, Any]:
    status = {"conditions": list(conditions)}
    return {"kind": "ModelDeployment", "metadata": {"generation": 2}, "status": status}


def told(obj: dict[str, Any], planned: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    status = overlay(obj, planned, TAKEN, NOW)
    assert status is not None
    return {one["type"]: one for one in status["conditions"]}


@pytest.mark.parametrize("planned", [None, ready("True", "Serving"), ready("False", "RollingOut")])
def test_a_stalled_deployment_is_not_ready_and_says_why_it_is_stalled(
    planned: dict[str, Any] | None,
) -> None:
    found = told(deployment(), {"conditions": [planned]} if planned else None)
    for type_, status in (("Ready", "False"), ("Stalled", "True")):
        assert (found[type_]["status"], found[type_]["reason"]) == (status, "NameConflict")
        assert found[type_]["message"] == TAKEN.message
        assert found[type_]["lastTransitionTime"] == "2026-01-02T00:00:00Z"


def test_ready_has_turned_when_it_was_first_stalled() -> None:
    obj = deployment(ready("False", "NameConflict"))
    found = told(obj, {"conditions": [ready("True", "Serving")]})
    assert found["Ready"]["lastTransitionTime"] == BEFORE


def test_a_stalled_training_job_gets_no_ready_condition() -> None:
    found = told({**deployment(), "kind": "TrainingJob"}, {"conditions": []})
    assert list(found) == ["Stalled"]


def test_the_planned_ready_holds_once_nothing_is_in_the_way() -> None:
    obj = deployment(ready("False", "NameConflict"), {"type": "Stalled"})
    status = overlay(obj, {"conditions": [ready("True", "Serving")]}, None, NOW)
    assert status == {"conditions": [ready("True", "Serving")]}
