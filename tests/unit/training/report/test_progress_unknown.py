"""A pod that cannot be asked for its progress: told, with the way out, and never ended for it."""

from slipway.training.snapshot import Silence
from tests.unit.training.simulation import Cluster, condition, underway

ERROR = "it takes no connection within 1 s"


def silent(seconds: float) -> Cluster:
    cluster = underway(nodes=2, progressDeadlineSeconds=600)
    cluster.progress_age = float("inf")
    cluster.silence = Silence("quick-train-0-abc", seconds, ERROR)
    return cluster


def test_a_pod_that_does_not_answer_for_long_is_told_with_the_way_out() -> None:
    cluster = silent(60)
    cluster.settle()
    found = condition(cluster, "ProgressUnknown")
    assert (found["status"], found["reason"]) == ("True", "PodDoesNotAnswer")
    assert "quick-train-0-abc cannot be asked" in found["message"]
    assert ERROR in found["message"]
    assert "port 9400" in found["message"]
    assert "NetworkPolicy" in found["message"]
    assert ("Warning", "PodDoesNotAnswer") in [event[:2] for event in cluster.events]


def test_a_pod_that_does_not_answer_is_never_ended_for_it() -> None:
    cluster = silent(60)
    for _ in range(20):
        cluster.wait(600)
        cluster.settle()
    assert cluster.status["phase"] == "Running"
    assert (cluster.status["attempt"], cluster.status["restarts"]) == (0, 0)


def test_a_question_that_fails_now_and_then_is_no_news() -> None:
    cluster = silent(59)
    cluster.settle()
    assert "ProgressUnknown" not in [one["type"] for one in cluster.status["conditions"]]


def test_an_operator_that_has_just_started_keeps_what_was_told() -> None:
    cluster = silent(60)
    cluster.settle()
    cluster.silence = Silence("quick-train-0-abc", 1, ERROR)
    cluster.settle()
    assert condition(cluster, "ProgressUnknown")["status"] == "True"


def test_an_answer_ends_the_condition() -> None:
    cluster = silent(60)
    cluster.settle()
    cluster.silence = None
    cluster.settle()
    assert condition(cluster, "ProgressUnknown")["reason"] == "PodAnswers"


def test_a_job_that_runs_no_more_has_nobody_to_ask() -> None:
    cluster = silent(60)
    cluster.settle()
    cluster.change(suspend=True)
    cluster.settle()
    assert condition(cluster, "ProgressUnknown")["reason"] == "NotAsked"
