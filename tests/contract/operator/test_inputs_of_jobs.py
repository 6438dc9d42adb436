"""A job that begins with what another one made, on a real API server."""

import json

import pytest

from tests.contract.operator import play
from tests.contract.operator.process import OperatorProcess
from tests.harness import Kubectl, Object
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.contract, pytest.mark.one_operator]
OF_TEACHER = [{"name": "teacher", "trainingJob": {"name": "teacher"}}]


def created(kubectl: Kubectl, name: str) -> Object:
    told = (kubectl.get("tj", name) or {}).get("status", {}).get("conditions", ())
    return next((one for one in told if one["type"] == "Created"), {})


def wait_reason(kubectl: Kubectl, operator: OperatorProcess, name: str, reason: str) -> str:
    """Return the message of the condition Created once it has a reason."""

    def told() -> Object | None:
        found = created(kubectl, name)
        return found if found.get("reason") == reason else None

    found = wait_for(told, 120, f"{name} says {reason}", operator.log.read_text)
    return str(found["message"])


def test_a_student_waits_for_its_teacher_and_begins_with_the_archive_that_its_status_keeps(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    kubectl.create([play.source(), play.training_job("student", inputs=OF_TEACHER)])
    wait_reason(kubectl, operator, "student", "TrainingJobNotFound")
    kubectl.create(play.training_job("teacher"))
    wait_reason(kubectl, operator, "student", "WaitingForTrainingJob")
    assert kubectl.get("job", "student-train") is None
    play.train(kubectl, "teacher")
    teacher = play.package(kubectl, "teacher")
    job = play.wait_object(kubectl, "job", "student-train")
    (kept,) = (kubectl.get("tj", "student") or {})["status"]["inputs"]
    assert kept["trainingJobUID"] == teacher["metadata"]["uid"]
    assert kept["sha256"] == teacher["status"]["package"]["sha256"]
    containers = job["spec"]["template"]["spec"]["initContainers"]
    bringer = next(one for one in containers if one["name"] == "input-teacher")
    env = {one["name"]: one.get("value") for one in bringer["env"]}
    told = json.loads(env["SLIPWAY_INPUT"])
    assert (told["uri"], told["sha256"]) == (kept["uri"], kept["sha256"])


def test_a_student_whose_teacher_is_rejected_ends_with_the_figure(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    gates = [{"metric": "accuracy", "successCondition": "result >= 0.9"}]
    package = {"serializedFile": "model.pt", "handler": "image_classifier", "gates": gates}
    kubectl.create([play.source(), play.training_job("student", inputs=OF_TEACHER)])
    kubectl.create(play.training_job("teacher", package=package))
    play.train(kubectl, "teacher")
    play.package(kubectl, "teacher", word=play.rejected("teacher"))
    failed = play.wait_phase(kubectl, "student", "Failed")
    assert failed["status"]["reason"] == "PackageRejected"
    assert "accuracy is 0.87" in json.dumps(failed["status"]["conditions"])
    assert kubectl.get("job", "student-train") is None
    del operator


def test_jobs_that_wait_for_each_other_say_so(operator: OperatorProcess, kubectl: Kubectl) -> None:
    def after(name: str) -> list[Object]:
        return [{"name": "before", "trainingJob": {"name": name}}]

    jobs = [play.training_job("one", inputs=after("two"))]
    jobs += [play.training_job("two", inputs=after("one"))]
    kubectl.create([play.source(), *jobs])
    assert "one -> two -> one" in wait_reason(kubectl, operator, "one", "InputCircle")
    assert "two -> one -> two" in wait_reason(kubectl, operator, "two", "InputCircle")
