"""Objects that are made to harm who reads them: the others' go on, and its author is told."""

import json
import random
from base64 import b64encode
from collections.abc import Callable
from functools import partial

import pytest

from slipway.kube.watched.room import NO_LIMIT
from slipway.telemetry.memory import limit_bytes
from tests.contract.namespaces import new_namespace
from tests.contract.operator import play
from tests.contract.operator.process import OperatorProcess
from tests.harness import Kubectl, Object, TestControlPlane
from tests.harness.waiting import wait_for

pytestmark = [
    pytest.mark.contract,
    pytest.mark.own_control_plane("its namespaces stay large"),
]

PLURALS = {"TrainingJob": "trainingjobs", "ModelDeployment": "modeldeployments"}
MANY = 440_000
"""Of a small value in JSON: as many as the API server takes in one object."""
DEEP = {
    "maps": '{"a":' * 3000 + "1" + "}" * 3000,
    "lists": "[" * 9000 + "]" * 9000,
    "levels": "[" * 230 + "]" * 230,
    "more-levels": '{"a":' * 600 + "1" + "}" * 600,
}
LARGE = {f"large-{number}": f"[{','.join(['{}'] * MANY)}]" for number in range(4)}
"""What stands in podTemplate, by the object's name."""
MOST_MIB = 60
"""Memory that all of it may cost the operator; Python's values of it would take 120 MiB."""


FLOOD = 150
"""Objects of 250 KiB that cannot be compressed: some 26 MiB of what a cache would keep."""
SHARE = 5 << 20
"""How much of it the operator may keep, in bytes."""
MOST_OF_FLOOD_MIB = 30
"""What they may cost it, with what parsing them leaves behind: 21 MiB were measured of fewer."""


def create(kubectl: Kubectl, what: Object, value: str) -> None:
    """Create an object with a JSON text in its podTemplate."""
    what["spec"]["podTemplate"] = {"spec": {"affinity": "HERE"}}
    text = json.dumps(what).replace('"HERE"', f'{{"x": {value}}}')
    place = f"/apis/slipway.dev/v1alpha1/namespaces/{kubectl.namespace}/{PLURALS[what['kind']]}"
    kubectl.run("create", "--raw", place, "-f", "-", stdin=text)


def is_told(kubectl: Kubectl, kind: str, name: str, reason: str = "InvalidSpec") -> bool:
    """Tell whether an object's own condition says that it is not read."""
    text = kubectl.run("get", kind, name, "-o", "jsonpath={.status.conditions}")
    return reason in text


def test_an_object_that_nobody_can_read_costs_its_author_alone(
    start_operator: Callable[..., OperatorProcess],
    control_plane: TestControlPlane,
    kubectl: Kubectl,
) -> None:
    attacker = new_namespace(control_plane.kubectl, "hostile")
    kubectl.create(play.source())
    operator = start_operator(SLIPWAY_LEADER_ELECTION="false")
    operator.wait_until_ready()
    before = operator.memory()
    for name, value in (DEEP | LARGE).items():
        create(attacker, play.training_job(name), value)
    for name, value in DEEP.items():
        create(attacker, play.model_deployment(name), value)
    kubectl.create(play.training_job("meanwhile"))
    play.wait_object(kubectl, "job", "meanwhile-train")
    operator.kill()
    operator = start_operator(SLIPWAY_LEADER_ELECTION="false")
    operator.wait_until_ready()
    kubectl.create(play.training_job("afterwards"))
    play.wait_object(kubectl, "job", "afterwards-train")
    for kind, names in (("trainingjobs", DEEP | LARGE), ("modeldeployments", DEEP)):
        for name in names:
            wait_for(partial(is_told, attacker, kind, name), 180, f"{kind}/{name} is told")
    assert operator.memory() < before + MOST_MIB
    attacker.run("delete", "trainingjobs,modeldeployments", "--all", "--wait=false")


def flood(kubectl: Kubectl, number: int) -> None:
    """Create one of many suspended jobs that are nearly as large as is read."""
    text = b64encode(random.Random(number).randbytes(185_000)).decode()  # noqa: S311
    job = play.training_job(f"flood-{number}", suspend=True)
    create(kubectl, job, json.dumps({"text": text}))


def test_a_namespace_of_many_large_objects_has_its_share_of_memory_and_delays_nobody(
    start_operator: Callable[..., OperatorProcess],
    control_plane: TestControlPlane,
    kubectl: Kubectl,
) -> None:
    attacker = new_namespace(control_plane.kubectl, "large")
    kubectl.create(play.source())
    percent = 100 * SHARE / (limit_bytes() or NO_LIMIT)
    quiet = {"SLIPWAY_LEADER_ELECTION": "false", "SLIPWAY_NAMESPACE_MEMORY_PERCENT": str(percent)}
    operator = start_operator(**quiet)
    operator.wait_until_ready()
    kubectl.create(play.training_job("before-all"))
    play.wait_object(kubectl, "job", "before-all-train")
    before = operator.memory()
    for number in range(FLOOD):
        flood(attacker, number)
    kubectl.create(play.training_job("meanwhile"))
    play.wait_object(kubectl, "job", "meanwhile-train")
    told = partial(is_told, attacker, "trainingjobs", reason="NamespaceTooLarge")
    wait_for(partial(told, f"flood-{FLOOD - 1}"), 180, "the last one is told")
    assert not told("flood-0")
    assert operator.metric("slipway_outlined_objects") > FLOOD / 2
    assert operator.memory() < before + MOST_OF_FLOOD_MIB
    attacker.run("delete", "trainingjobs", "--all", "--wait=false")
