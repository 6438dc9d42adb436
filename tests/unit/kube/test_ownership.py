from typing import Any

from slipway.kube.writes.ownership import as_applied
from slipway.manifests import MANAGER


def entry(operation: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    head = {"manager": MANAGER, "operation": operation, "apiVersion": "v1", **more}
    return {**head, "fieldsType": "FieldsV1", "fieldsV1": fields}


LABELS: dict[str, Any] = {"f:metadata": {"f:labels": {"f:one": {}}}}
REPLICAS: dict[str, Any] = {"f:spec": {"f:replicas": {}}}


def test_what_was_created_counts_as_applied() -> None:
    assert as_applied([entry("Update", LABELS)]) == [entry("Apply", LABELS)]


def test_what_was_applied_stays_as_it_is() -> None:
    assert as_applied([entry("Apply", LABELS)]) is None
    assert as_applied([]) is None


def test_replicas_are_never_applied() -> None:
    created = {**LABELS, "f:spec": {"f:replicas": {}, "f:paused": {}}}
    applied = {**LABELS, "f:spec": {"f:paused": {}}}
    found = as_applied([entry("Update", created)])
    assert found == [entry("Apply", applied), entry("Update", REPLICAS)]
    assert as_applied(found) is None


def test_both_sets_of_fields_become_one() -> None:
    other = {"f:metadata": {"f:labels": {"f:two": {}}}, "f:data": {"f:key": {}}}
    found = as_applied([entry("Apply", other), entry("Update", LABELS)])
    both = {"f:metadata": {"f:labels": {"f:two": {}, "f:one": {}}}, "f:data": {"f:key": {}}}
    assert found == [entry("Apply", both)]


def test_fields_of_others_and_of_subresources_are_left_alone() -> None:
    others = [
        {**entry("Update", LABELS), "manager": "kubectl"},
        entry("Update", {"f:status": {}}, subresource="status"),
    ]
    assert as_applied(others) is None
    assert as_applied([*others, entry("Update", LABELS)]) == [entry("Apply", LABELS), *others]
