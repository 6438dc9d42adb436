"""What a kubelet's sentence says is missing, whatever the object is called."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.observed.pods import PodView
from slipway.observed.start_problems import (
    CONFIG_REASON,
    PULL_REASONS,
    START_REASONS,
    MissingObject,
    any_waits_for_volumes,
    container_problem,
    missing_object,
    unschedulable,
)
from slipway.serving import reasons as serving_reasons
from slipway.training import reasons as training_reasons

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?", fullmatch=True) | st.sampled_from(
    ["secret", "secret-config", "configmap", "in-secret.configmap"]
)


@given(name=NAMES, secret=st.booleans())
def test_an_object_that_is_not_there_is_named(name: str, secret: bool) -> None:
    kind = "secret" if secret else "configmap"
    assert missing_object(f'{kind} "{name}" not found') == MissingObject(secret, name)


@given(name=NAMES, key=NAMES, secret=st.booleans())
def test_a_key_that_is_not_there_names_its_object(name: str, key: str, secret: bool) -> None:
    kind = "Secret" if secret else "ConfigMap"
    message = f"couldn't find key {key} in {kind} team-a/{name}"
    assert missing_object(message) == MissingObject(secret, name)


@pytest.mark.parametrize("message", ["", "container has runAsNonRoot and image will run as root"])
def test_other_sentences_name_nothing(message: str) -> None:
    assert missing_object(message) is None


@pytest.mark.parametrize("kind", sorted(PULL_REASONS | START_REASONS | {CONFIG_REASON}))
@given(message=st.none() | st.text() | st.builds('secret "{}" not found'.format, NAMES))
def test_each_way_of_not_starting_is_told_with_a_reason_of_both_kinds(
    kind: str, message: str | None
) -> None:
    waiting = {"reason": kind, **({} if message is None else {"message": message})}
    status = {"name": "main", "image": "x", "state": {"waiting": waiting}}
    pod = PodView({"metadata": {"name": "p"}, "status": {"containerStatuses": [status]}})

    problem = container_problem(pod, pod.container("main"))

    assert problem is not None
    for reasons in (training_reasons, serving_reasons):
        assert problem.reason in vars(reasons).values()
    assert problem.message.startswith("Container main")


def test_the_schedulers_sentence_is_told() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    pod = {"metadata": {"name": "p"}, "status": {"conditions": [{**condition, "message": "full"}]}}

    problem = unschedulable(PodView(pod))

    assert problem is not None
    assert problem.message == "No node can take the pod: full"
    for reasons in (training_reasons, serving_reasons):
        assert problem.reason == reasons.UNSCHEDULABLE


def placed(state: str = "waiting", ready: str | None = None, node: str = "a") -> dict[str, Any]:
    """Return a pod that a node has taken, one of whose containers is in a state."""
    conditions = [{"type": "PodReadyToStartContainers", "status": ready}] if ready else []
    statuses = [{"name": "agent", "state": {state: {}}}]
    status = {"phase": "Pending", "conditions": conditions, "initContainerStatuses": statuses}
    return {"metadata": {"name": "pod"}, "spec": {"nodeName": node}, "status": status}


@pytest.mark.parametrize(
    ("pod", "waits"),
    [
        (placed(), True),
        (placed(ready="False"), True),
        (placed(ready="True"), False),
        (placed(state="running"), False),
        (placed(state="terminated"), False),
        (placed(node=""), False),
        ({**placed(), "status": {"phase": "Pending"}}, True),
        ({**placed(), "status": {"phase": "Failed"}}, False),
        ({**placed(), "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, False),
    ],
)
def test_a_pod_waits_for_its_volumes_from_its_node_to_its_first_container(
    pod: dict[str, Any], waits: bool
) -> None:
    assert any_waits_for_volumes([pod]) is waits
