"""Who may write the two kinds in one namespace, and nothing else, against the next namespace."""

import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.operator import play
from tests.harness import KubectlError, Object
from tests.harness.waiting import wait_for
from tests.security.stage import ATTACKER, VICTIM, Stage, reasons, training_job
from tests.security.written import ATTACKS, SECRET, Attack, deployment

pytestmark = pytest.mark.contract
PASSWORD = "hunter2"


def filled(value: Any, buckets: dict[str, str]) -> Any:
    """Return what an attack writes, with the two buckets' names."""
    if isinstance(value, dict):
        return {key: filled(one, buckets) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, buckets) for one in value]
    if isinstance(value, str):
        return value.replace("{mine}", buckets[ATTACKER]).replace("{theirs}", buckets[VICTIM])
    return value


def manifest(attack: Attack, name: str, scene: Stage) -> Object:
    spec = filled(attack.spec, scene.buckets)
    if attack.kind == "TrainingJob":
        return training_job(name, **spec)
    found = play.model_deployment(name, **spec)
    del found["spec"]["autoscaling"]
    return found


def attempt(scene: Stage, attack: Attack, name: str) -> str:
    """Write what an attack writes; return the API server's refusal, empty where it takes it."""
    try:
        scene.kinds_user.create(manifest(attack, name, scene))
    except KubectlError as error:
        return str(error)
    return ""


def answer_of(scene: Stage, attack: Attack, name: str) -> str:
    """Return what an attacker reads whom the API server did not refuse, once it is the answer."""
    kind = "tj" if attack.kind == "TrainingJob" else "mdep"

    def told() -> dict[str, str] | None:
        found = reasons(scene.kinds_user, kind, name)
        return found if any(re.search(attack.answer, one) for one in found) else None

    found = wait_for(told, 180, attack.answer, lambda: str(reasons(scene.admin, kind, name)))
    return " ".join(f"{reason}: {message}" for reason, message in found.items())


@dataclass(frozen=True)
class Attacked:
    """What the API server said to each attack, and what the victim had before the first."""

    refusals: dict[str, str]
    victims: Object


def called(name: str) -> str:
    return f"attack-{[*ATTACKS].index(name)}"


@pytest.fixture(scope="module")
def attacked(scene: Stage) -> Attacked:
    """All attacks at once, since each of them waits for the operator."""
    before = scene.written()
    refusals = {name: attempt(scene, attack, called(name)) for name, attack in ATTACKS.items()}
    return Attacked(refusals, before)


@pytest.mark.parametrize("name", ATTACKS)
def test_what_is_not_ones_own_is_refused_and_told(
    scene: Stage, attacked: Attacked, name: str
) -> None:
    attack, object_name = ATTACKS[name], called(name)
    said = attacked.refusals[name] or answer_of(scene, attack, object_name)
    assert re.search(attack.answer, said)
    assert attacked.refusals[name] or PASSWORD not in said
    children = [one["metadata"]["name"] for one in scene.admin.list("job,deployment,pod")]
    assert not [one for one in children if f"{one}-".startswith(f"{object_name}-")]
    assert scene.written() == attacked.victims
    scene.check_that_the_victim_reads_its_model()


@pytest.mark.parametrize(
    ("verb", "kind", "name", "namespace"),
    [
        ("get", "secret", SECRET, ATTACKER),
        ("get", "secret", SECRET, VICTIM),
        ("get", "secret", "slipway-store-root", "slipway-system"),
        ("get", "tj", "busy", VICTIM),
        ("delete", "tj", "busy", VICTIM),
        ("delete", "mdep", "iris", VICTIM),
        ("get", "pod", "any", ATTACKER),
        ("delete", "networkpolicy", "own", ATTACKER),
    ],
    ids=lambda value: value,
)
def test_the_roles_of_the_kinds_open_nothing_else(
    scene: Stage, verb: str, kind: str, name: str, namespace: str
) -> None:
    with scene.victim_is_unharmed(), pytest.raises(KubectlError, match="forbidden"):
        scene.kinds_user.run(verb, kind, name, "-n", namespace)


@pytest.mark.parametrize("who", ["kinds_user", "edit_user"])
def test_nobody_writes_a_status(scene: Stage, who: str) -> None:
    """A status that names a package elsewhere would be served with the operator's authority."""
    forged = {
        "status": {"phase": "Succeeded", "package": {"uri": f"s3://{scene.buckets[VICTIM]}/x"}}
    }
    with scene.victim_is_unharmed(), pytest.raises(KubectlError, match="forbidden"):
        getattr(scene, who).patch("tj", "own/status", forged)
    assert "package" not in (scene.admin.get("tj", "own") or {}).get("status", {})


def test_a_status_that_is_created_with_its_object_is_dropped(scene: Stage) -> None:
    forged = training_job("with-status", suspend=True)
    forged["status"] = {"phase": "Succeeded", "output": {"uri": f"s3://{scene.buckets[VICTIM]}/x"}}
    with scene.victim_is_unharmed():
        scene.kinds_user.create(forged)
        wait_for(lambda: reasons(scene.admin, "tj", "with-status"), 180, "the operator has seen it")
    status = (scene.admin.get("tj", "with-status") or {})["status"]
    assert status["phase"] == "Suspended"
    assert "output" not in status


ADDRESSES = {
    "metadata of the cloud": "http://169.254.169.254",
    "another namespace's Service": "http://prometheus.victim.svc:9090",
    "the API server": "https://kubernetes.default.svc",
    "the operator itself": "http://127.0.0.1:8080",
    "a path of a Service's": "http://p.attacker.svc:9090/../admin",
}


@pytest.mark.parametrize("where", ADDRESSES)
def test_the_operator_is_sent_to_no_address_but_the_namespaces_own(
    scene: Stage, where: str
) -> None:
    query = {"query": "x", "address": ADDRESSES[where]}
    metric = {"name": "q", "prometheus": query, "successCondition": "result > 0"}
    steps = [{"analysis": {"metrics": [metric]}}]
    rollout = {"strategy": "Canary", "canary": {"steps": steps}}
    name = f"sends-{[*ADDRESSES].index(where)}"
    attack = deployment("ForbiddenAddress", rollout=rollout)
    with scene.victim_is_unharmed():
        assert attempt(scene, attack, name) == ""
        assert "ForbiddenAddress" in answer_of(scene, attack, name)


def test_the_victim_goes_on_as_if_nobody_had_tried_anything(scene: Stage) -> None:
    scene.victim.create(training_job("after"))
    play.wait_object(scene.victim, "job", "after-train")
    assert scene.operator.process.poll() is None
