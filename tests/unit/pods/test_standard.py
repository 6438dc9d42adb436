"""The Pod Security Standards: what a pod may ask for at each level."""

from typing import Any

import pytest

from slipway.pods.standard import APPARMOR, first_violation, laxest
from tests.unit.pods.cases import BASELINE, PRIVILEGED, RESTRICTED, pod

refused = pytest.mark.parametrize(
    ("spec", "path"), [*PRIVILEGED.values(), *BASELINE.values()], ids=[*PRIVILEGED, *BASELINE]
)


@refused
def test_restricted_refuses_by_the_fields_path(spec: dict[str, Any], path: str) -> None:
    found = first_violation(spec, "restricted")
    assert found is not None
    assert found.path == path
    assert found.advice


@pytest.mark.parametrize(("spec", "path"), PRIVILEGED.values(), ids=PRIVILEGED)
def test_baseline_refuses_what_reaches_the_node(spec: dict[str, Any], path: str) -> None:
    found = first_violation(spec, "baseline")
    assert found is not None
    assert found.path == path


@pytest.mark.parametrize(("spec", "_path"), BASELINE.values(), ids=BASELINE)
def test_baseline_allows_what_reaches_no_node(spec: dict[str, Any], _path: str) -> None:
    assert first_violation(spec, "baseline") is None


@refused
def test_privileged_allows_everything(spec: dict[str, Any], path: str) -> None:
    assert first_violation(spec, "privileged") is None


@pytest.mark.parametrize("spec", RESTRICTED.values(), ids=RESTRICTED)
def test_restricted_allows(spec: dict[str, Any]) -> None:
    assert first_violation(spec, "restricted") is None


def test_an_annotation_unconfines_no_container() -> None:
    notes = {f"{APPARMOR}main": "unconfined"}
    found = first_violation(pod(), "baseline", notes)
    assert found is not None
    assert found.path == f"metadata.annotations[{APPARMOR}main]"
    assert first_violation(pod(), "restricted", {f"{APPARMOR}main": "runtime/default"}) is None


@pytest.mark.parametrize(
    "spec", [{"containers": ["a"]}, {"containers": [{"securityContext": 3}]}, {"volumes": 7}]
)
def test_what_is_no_pod_is_refused(spec: dict[str, Any]) -> None:
    assert first_violation(spec, "restricted") is not None


def test_the_laxest_level_counts_and_other_words_do_not() -> None:
    assert laxest("restricted", None) == "restricted"
    assert laxest("restricted", "baseline") == "baseline"
    assert laxest("privileged", "restricted") == "privileged"
    assert laxest("restricted", "Privileged!") == "restricted"
