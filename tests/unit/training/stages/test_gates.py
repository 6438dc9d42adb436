"""What becomes of a job whose archive misses one of ``package.gates``."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.api.training.package import Package
from slipway.training import reasons
from slipway.training.children.gates import Served
from slipway.training.stages.gates import rows
from tests.unit.training.simulation import PACKAGE, Cluster, condition, packaged, spec, trained
from tests.unit.training.stages.test_repackaging import told

GATES = [
    {"metric": "accuracy", "successCondition": "result >= 0.9"},
    {"metric": "sizeBytes", "successCondition": "result < 2000"},
]
JUDGED = {**PACKAGE, "gates": GATES}
PLACE = "s3://slipway/models/default/quick/uid-1"


def word(*rows: tuple[str, str | None]) -> dict[str, Any]:
    """Return the packager's last word with a verdict and a figure for each gate."""
    said = packaged()
    said["package"]["gates"] = [{"verdict": verdict, "value": value} for verdict, value in rows]
    return said


MISSED = word(("Failed", "0.87"), ("Successful", "1234"))
PASSED = word(("Successful", "0.93"), ("Successful", "1234"))


def judged(said: dict[str, Any], package: Any = JUDGED) -> Cluster:
    """Return a cluster whose job has trained, and whose packager has said its last word."""
    cluster = Cluster(spec(package=package))
    cluster.settle()
    cluster.finish_all(message=trained(step=3, metrics={"accuracy": 0.87, "loss": 0.2}))
    cluster.settle()
    cluster.finish_all("package", said)
    cluster.settle()
    return cluster


def repackaged(cluster: Cluster, said: dict[str, Any], **package: Any) -> None:
    cluster.change(package={**JUDGED, **package})
    cluster.settle()
    cluster.finish_all("package", said)
    cluster.settle()


def test_the_packager_is_told_the_gates_and_of_the_last_report_what_they_ask_for() -> None:
    cluster = Cluster(spec(package=JUDGED))
    cluster.settle()
    cluster.finish_all(message=trained(step=3, metrics={"accuracy": 0.87, "loss": 0.2}))
    cluster.settle()
    assert json.loads(told(cluster, "SLIPWAY_GATES")) == {
        "gates": [
            {"metric": "accuracy", "comparisons": [[">=", 0.9]]},
            {"metric": "sizeBytes", "comparisons": [["<", 2000.0]]},
        ],
        "reported": {"accuracy": "0.87"},
    }


@pytest.mark.parametrize(
    ("figure", "text"),
    [(0.89999999, "0.89999999"), (1_234_567, "1234567"), (1e300, "1e+300"), (1 / 3, f"{1 / 3}")],
)
def test_a_figure_is_judged_as_it_was_reported_and_not_as_the_status_shows_it_meanwhile(
    figure: float, text: str
) -> None:
    cluster = Cluster(spec(package=JUDGED))
    cluster.settle()
    cluster.finish_all(message=trained(step=3, metrics={"accuracy": figure}))
    cluster.settle()
    assert json.loads(told(cluster, "SLIPWAY_GATES"))["reported"] == {"accuracy": text}
    assert json.loads(told(cluster, "SLIPWAY_LINEAGE"))["metrics"] == {"accuracy": text}
    assert cluster.status["progress"]["metrics"] == {"accuracy": text}


def test_a_figure_that_a_gate_judges_is_known_however_many_others_come_before_it() -> None:
    cluster = Cluster(spec(package=JUDGED))
    cluster.settle()
    figures = {f"a{number}": number for number in range(40)} | {"accuracy": 0.95}
    cluster.finish_all(message=trained(step=3, metrics={"a": 1, **figures}))
    cluster.settle()
    assert json.loads(told(cluster, "SLIPWAY_GATES"))["reported"] == {"accuracy": "0.95"}
    assert cluster.status["progress"]["metrics"]["accuracy"] == "0.95"
    assert cluster.status["progress"]["droppedMetrics"] == 10


def test_the_names_of_gated_metrics_reach_the_script_and_the_agent_as_they_are() -> None:
    gates = [{"metric": name, "successCondition": "result > 1"} for name in ("$(A) $$", "größer")]
    job = Cluster(spec(package={**PACKAGE, "gates": gates}))
    job.settle()
    pod = job.pods("train")[0]["spec"]
    for container in (pod["containers"][0], pod["initContainers"][-1]):
        variables = {one["name"]: one.get("value") for one in container["env"]}
        escaped = variables["SLIPWAY_GATE_METRICS"]
        assert json.loads(escaped.replace("$$", "$")) == ["$(A) $$", "größer"]


def test_a_missed_gate_ends_the_job_as_rejected_with_the_figure() -> None:
    cluster = judged(MISSED)
    assert (cluster.status["phase"], cluster.status["reason"]) == ("Failed", "Rejected")
    for type_ in ("Packaged", "Failed"):
        found = condition(cluster, type_)
        assert found["reason"] == reasons.REJECTED
        assert "accuracy is 0.87, and result >= 0.9 does not hold" in found["message"]
        assert f"{PLACE}/quick-1.0.mar" in found["message"]
    assert "package" not in cluster.status
    made = cluster.status["rejectedPackage"]
    assert [row["verdict"] for row in made["gates"]] == ["Failed", "Successful"]
    assert made["gates"][0]["value"] == "0.87"
    assert ("Warning", "Failed") in [event[:2] for event in cluster.events]


def test_what_was_rejected_is_not_packaged_again_by_itself() -> None:
    cluster = judged(MISSED)
    writes = cluster.writes.count("apply Job")
    cluster.settle()
    assert cluster.writes.count("apply Job") == writes
    assert cluster.status["phase"] == "Failed"


def test_a_package_that_passes_has_its_figures_in_the_status() -> None:
    cluster = judged(PASSED)
    assert cluster.status["phase"] == "Succeeded"
    rows = cluster.status["package"]["gates"]
    assert [(row["metric"], row["value"]) for row in rows] == [
        ("accuracy", "0.93"),
        ("sizeBytes", "1234"),
    ]
    assert rows[0]["message"] == "accuracy is 0.93, and result >= 0.9 holds"
    assert "rejectedPackage" not in cluster.status


def test_a_rejected_archive_has_no_signature_that_could_be_taken_for_a_word_for_it() -> None:
    signed = {**JUDGED, "sign": {"keySecretRef": {"name": "signer", "key": "private.pem"}}}
    good = judged(PASSED, signed).status["package"]
    assert good["signatureUri"] == f"{good['uri']}.sig"
    assert "signatureUri" not in judged(MISSED, signed).status["rejectedPackage"]


def test_a_gate_on_a_metric_that_was_not_reported_tells_those_that_were() -> None:
    absent = [{**GATES[0], "metric": "precision"}, *GATES[1:]]
    cluster = judged(word(("Failed", None), ("Successful", "1234")), {**PACKAGE, "gates": absent})
    said = condition(cluster, "Failed")["message"]
    assert "precision is not known: the training's last report does not have it" in said
    assert "it has accuracy, loss" in said


def test_without_gates_the_status_is_what_it_was_before_there_were_some() -> None:
    assert "gates" not in judged(packaged(), PACKAGE).status["package"]


def test_a_figure_that_nobody_reported_is_named() -> None:
    cluster = judged(word(("Failed", None), ("Successful", "1234")))
    assert "accuracy is not known" in condition(cluster, "Failed")["message"]


def test_a_package_that_was_good_stays_the_jobs_when_a_later_one_is_rejected() -> None:
    cluster = judged(PASSED)
    good = cluster.status["package"]
    repackaged(cluster, MISSED, repeat=1)
    assert cluster.status["phase"] == "Failed"
    assert cluster.status["package"] == good
    assert cluster.status["rejectedPackage"]["uri"] == f"{PLACE}/2/quick-1.1.mar"


def test_a_later_package_that_passes_is_the_jobs_and_the_rejected_one_is_listed() -> None:
    cluster = judged(MISSED)
    repackaged(cluster, PASSED, repeat=1)
    assert cluster.status["phase"] == "Succeeded"
    assert cluster.status["package"]["number"] == 2
    assert "rejectedPackage" not in cluster.status
    (earlier,) = cluster.status["earlierPackages"]
    assert (earlier["number"], earlier["rejected"]) == (1, True)


def test_archives_that_are_rejected_one_after_another_are_all_listed() -> None:
    cluster = judged(PASSED)
    for number in (1, 2, 3):
        repackaged(cluster, MISSED, repeat=number)
    assert cluster.status["package"]["number"] == 1
    assert cluster.status["rejectedPackage"]["number"] == 4
    assert [one["number"] for one in cluster.status["earlierPackages"]] == [3, 2]


def test_a_looser_gate_judges_the_stored_output_anew() -> None:
    cluster = judged(MISSED)
    looser = [{**GATES[0], "successCondition": "result >= 0.8"}, GATES[1]]
    said = word(("Successful", "0.87"), ("Successful", "1234"))
    repackaged(cluster, said, gates=looser)
    assert cluster.status["phase"] == "Succeeded"


@pytest.mark.parametrize(
    "rows",
    [
        None,
        [],
        "Successful",
        [{"verdict": "Successful", "value": "1"}],
        [{"verdict": "Excellent", "value": "1"}] * 2,
        [{"verdict": "Successful", "value": "1" * 99}] * 2,
        [{"verdict": "Successful", "value": 1}] * 2,
        ["Successful"] * 2,
    ],
)
def test_a_word_without_a_verdict_on_every_gate_is_no_package(rows: Any) -> None:
    said = packaged()
    said["package"]["gates"] = rows
    cluster = judged(said)
    assert cluster.status["phase"] == "Failed"
    assert condition(cluster, "Failed")["reason"] == reasons.PACKAGING_FAILED
    assert "package" not in cluster.status


COMPARED = [
    {"metric": "accuracy", "successCondition": "result >= 0.9", "minRatioToServed": "0.98"},
    {"metric": "sizeBytes", "maxRatioToServed": "1.5"},
]
WITH_RATIOS = {**PACKAGE, "gates": COMPARED, "comparedWith": {"name": "web"}}
SERVED = Served("s3://slipway/models/default/quick/uid-0/3/quick-1.2.mar", "cd" * 32)


def compared(served: Served | None) -> Cluster:
    """Return a cluster whose job is being packaged while a deployment serves something."""
    cluster = Cluster(spec(package=WITH_RATIOS), served=served)
    cluster.settle()
    cluster.finish_all(message=trained(step=3, metrics={"accuracy": 0.87}))
    cluster.settle()
    return cluster


@pytest.mark.parametrize(
    ("served", "record"),
    [
        (None, None),
        (
            SERVED,
            {
                "sha256": "cd" * 32,
                "lineageUri": "s3://slipway/models/default/quick/uid-0/3/lineage.json",
            },
        ),
        (
            Served("s3://slipway/models/other/quick/uid-0/quick.mar", "cd" * 32),
            {"sha256": "cd" * 32},
        ),
        (Served("https://models.example/quick.mar", "cd" * 32), {"sha256": "cd" * 32}),
        (Served(f"{PLACE}/../../../other/net.mar", "cd" * 32), {"sha256": "cd" * 32}),
        (Served(), {"sha256": ""}),
    ],
)
def test_the_packager_is_told_of_records_that_the_namespace_may_read_and_of_no_others(
    served: Served | None, record: dict[str, str] | None
) -> None:
    asked = json.loads(told(compared(served), "SLIPWAY_GATES"))
    assert asked["served"] == record
    assert asked["gates"] == [
        {
            "metric": "accuracy",
            "comparisons": [[">=", 0.9]],
            "ratios": {"minRatioToServed": "0.98"},
        },
        {"metric": "sizeBytes", "comparisons": [], "ratios": {"maxRatioToServed": "1.5"}},
    ]


def messages(*said: dict[str, Any]) -> list[str]:
    """Return the sentences on both gates by what the packager said of them."""
    package = Package.model_validate(
        {**WITH_RATIOS, "samples": {"file": "rows.jsonl", "evaluate": "judge.py"}}
    )
    found = rows(package, list(said))
    assert found is not None
    return [row.message for row in found]


GOOD = {"verdict": "Successful", "value": "1000", "source": "Package", "servedValue": "900"}


def test_a_missed_ratio_is_told_with_both_figures() -> None:
    missed = {
        "verdict": "Failed",
        "value": "0.91",
        "source": "Evaluate",
        "servedValue": "0.95",
        "missed": ["minRatioToServed"],
    }
    assert messages(missed, GOOD) == [
        "accuracy is 0.91, and result >= 0.9 holds and minRatioToServed 0.98 does not hold "
        "(ModelDeployment web serves 0.95)",
        "sizeBytes is 1000, and maxRatioToServed 1.5 holds (ModelDeployment web serves 900)",
    ]


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("NothingServed", "ModelDeployment web serves nothing yet"),
        ("NoRecord", "there is no record of the archive that ModelDeployment web serves"),
        ("NotRecorded", "the record of the archive that ModelDeployment web serves does not have"),
        ("OtherRows", "was measured on other rows"),
        ("OtherEvaluation", "ModelDeployment web serves was evaluated by another program"),
        ("Negative", "is below 0"),
        ("Whatever", "it was not compared with what ModelDeployment web serves"),
        (None, "it was not compared with what ModelDeployment web serves"),
        ([], "it was not compared with what ModelDeployment web serves"),
    ],
)
def test_a_figure_that_was_not_compared_says_why(why: Any, words: str) -> None:
    said = {"verdict": "Successful", "value": "0.95", "source": "Evaluate", "notCompared": why}
    assert words in messages(said, GOOD)[0]


def test_a_figure_that_nobody_has_names_who_could() -> None:
    said = {"verdict": "Failed", "value": None}
    assert messages(said, GOOD)[0] == (
        "accuracy is not known: neither samples.evaluate nor the training's last report has it"
    )


def test_the_status_has_both_figures_and_where_they_are_from() -> None:
    cluster = compared(SERVED)
    said = packaged()
    accuracy = {"verdict": "Failed", "value": "0.87", "source": "Report", "servedValue": "0.95"}
    said["package"]["gates"] = [
        {**accuracy, "missed": ["successCondition", "minRatioToServed"]},
        GOOD,
    ]
    cluster.finish_all("package", said)
    cluster.settle()
    assert cluster.status["reason"] == "Rejected"
    row, _ = cluster.status["rejectedPackage"]["gates"]
    assert {name: row[name] for name in accuracy} == accuracy
    assert row["message"] in condition(cluster, "Failed")["message"]


SAID = st.dictionaries(
    st.sampled_from(["verdict", "value", "source", "servedValue", "notCompared", "missed"]),
    st.one_of(
        st.none(),
        st.sampled_from(["Successful", "Failed", "Report", "NoRecord", "0.9", "x" * 600]),
        st.lists(st.sampled_from(["successCondition", "minRatioToServed", 1]), max_size=3),
    ),
)


@given(st.lists(SAID, max_size=3))
def test_any_word_of_a_packagers_is_rows_with_a_short_sentence_each_or_none(
    said: list[dict[str, Any]],
) -> None:
    try:
        found = rows(Package.model_validate(WITH_RATIOS), said)
    except ValueError:
        return
    assert found is None or [row.metric for row in found] == ["accuracy", "sizeBytes"]
    assert all(row.message and len(row.message) <= 512 for row in found or ())
