"""Counting requests in the apiserver's audit log."""

import json
from pathlib import Path

from tests.harness.audit import AuditLog

OPERATOR = "system:serviceaccount:slipway-system:slipway"


def entry(verb: str, resource: str, user: str = OPERATOR, subresource: str = "") -> str:
    at = {"resource": resource, "subresource": subresource, "namespace": "ns", "name": "x"}
    event = {
        "user": {"username": user},
        "verb": verb,
        "objectRef": at,
        "responseStatus": {"code": 200},
    }
    return json.dumps(event) + "\n"


def test_writes_are_counted_by_resource_and_verb(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.touch()
    log = AuditLog(path)
    path.write_text(
        entry("patch", "jobs")
        + entry("patch", "jobs")
        + entry("patch", "trainingjobs", subresource="status")
        + entry("get", "secrets")
        + entry("update", "leases")
        + entry("create", "events")
        + entry("create", "pods", user="somebody")
    )
    assert log.writes(OPERATOR) == {("jobs", "patch"): 2, ("trainingjobs/status", "patch"): 1}


def test_what_was_before_the_mark_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text(entry("patch", "jobs"))
    log = AuditLog(path)
    with path.open("a") as file:
        file.write(entry("delete", "jobs"))
    assert log.writes() == {("jobs", "delete"): 1}


def test_a_line_that_is_still_being_written_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.touch()
    log = AuditLog(path)
    path.write_text(entry("patch", "jobs") + '{"user": {"use')
    assert len(list(log.requests())) == 1
