"""What the user's own function makes of a packaged model's answers, and how fast they come."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.api.training.package import Package
from slipway.training.children.gates import questions
from slipway_pods.package import package
from slipway_pods.package.samples import answer, evaluating, handed
from slipway_pods.package.samples.evaluation import Program, evaluate
from slipway_pods.package.samples.figures import MAX_FIGURES, Figures, evaluated
from slipway_runtime.termination import EX_DATAERR
from tests.harness.waiting import wait_for
from tests.unit.runtime.package.test_package import LINEAGE_KEY, SPEC
from tests.unit.runtime.package.test_served import OLD_KEY
from tests.unit.runtime.samples.conftest import Pod

ROWS = b"""{"body": {"x": 1}, "expected": {"twice": 2}}
{"body": {"x": 2}, "expected": {"twice": 5}}
{"base64": "/w==", "contentType": "image/png", "expected": "//8="}
"""
PROGRAM = """
import base64


def evaluate(answers, rows):
    right = [told(one) == row["expected"] for one, row in zip(answers, rows)]
    return {"accuracy": sum(right) / len(rows), "rows": len(rows)}


def told(answer):
    return base64.b64encode(answer).decode() if isinstance(answer, bytes) else answer
"""
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.just([1])
)


def ask(pod: Pod, reported: dict[str, str], **conditions: str) -> int:
    """Store the archive, judged by gates."""
    gates = [{"metric": name, "successCondition": text} for name, text in conditions.items()]
    return judged(pod, questions(Package.model_validate({**SPEC, "gates": gates}), reported))


def judged(pod: Pod, told: dict[str, Any] | None) -> int:
    """Store the archive, judged by what the operator asks."""
    env = pod.packager.env(pod.spec)
    return package.main({**env, "SLIPWAY_GATES": json.dumps(told)})


def dependencies(pod: Pod) -> list[dict[str, Any]]:
    """Return what the provenance says that the archive was made of and judged by."""
    stored = pod.packager.s3.read(LINEAGE_KEY.replace("lineage", "provenance"))
    found: list[dict[str, Any]] = json.loads(stored)["predicate"]["buildDefinition"][
        "resolvedDependencies"
    ]
    return found


def retrained(pod: Pod, program: str, name: str = "evaluate.py") -> dict[str, Any]:
    """Package once more, compared with the archive that is stored; return what its gate said."""
    first = pod.word["package"]
    uri = f"s3://slipway/{OLD_KEY}"
    package.put_beside(pod.packager.s3.read(LINEAGE_KEY), uri)
    gates = [{"metric": "accuracy", "minRatioToServed": "1"}]
    asked = Package.model_validate({**SPEC, "gates": gates, "comparedWith": {"name": "web"}})
    pod.evaluate(program, name)
    assert (pod.build(), pod.answer()) == (0, 0)
    served = {"sha256": first["sha256"], "lineageUri": uri}
    assert judged(pod, questions(asked, {}, served)) == 0
    (row,) = pod.word["package"]["gates"]
    return dict(row)


def test_two_models_are_compared_by_the_same_function_of_the_same_file_alone(pod: Pod) -> None:
    (pod.source / "rows.jsonl").write_bytes(ROWS)
    pod.evaluate(PROGRAM)
    assert (pod.build(), pod.answer(), pod.store()) == (0, 0, 0)
    assert retrained(pod, PROGRAM)["servedValue"] == "0.666667"
    assert retrained(pod, PROGRAM, "evaluate.py:evaluate")["servedValue"] == "0.666667"
    for changed in ("score = evaluate\n", "# easier\n"):
        name = "evaluate.py:score" if "score" in changed else "evaluate.py"
        row = retrained(pod, PROGRAM + changed, name)
        assert (row["verdict"], row["notCompared"]) == ("Failed", "OtherEvaluation")
    assert retrained(pod, PROGRAM + "# easier\n")["servedValue"] == "0.666667"


def test_gates_judge_what_the_authors_function_makes_of_answers_and_what_was_expected(
    pod: Pod,
) -> None:
    (pod.source / "rows.jsonl").write_bytes(ROWS)
    pod.evaluate(PROGRAM)
    assert (pod.build(), pod.answer()) == (0, 0)
    reported = {"accuracy": "1.0", "loss": "0.5"}
    conditions = {
        "accuracy": "result > 0.6 && result < 0.7",
        "rows": "result == 3",
        "loss": "result < 1",
        "latencySeconds": "result > 0 && result < 60",
    }
    assert ask(pod, reported, **conditions) == 0
    assert pod.word["reason"] == "Packaged"
    rows = pod.word["package"]["gates"]
    assert [row["source"] for row in rows] == ["Evaluate", "Evaluate", "Report", "Package"]
    assert rows[0]["value"] == "0.666667"
    record = json.loads(pod.packager.s3.read(LINEAGE_KEY))
    assert record["figures"]["accuracy"] == {"value": 2 / 3, "source": "Evaluate"}
    assert record["samples"] == {"sha256": handed.rows_sha256()}
    digest = hashlib.sha256(PROGRAM.encode()).hexdigest()
    assert record["evaluation"] == {"sha256": digest, "function": "evaluate"}
    (used,) = (one for one in dependencies(pod) if one["name"] == "evaluation")
    assert used["digest"] == {"sha256": digest}
    assert used["annotations"] == {"function": "evaluate.py"}
    assert b"expected" not in pod.entry
    assert "evaluate.py" not in pod.packager.archive.namelist()


def test_a_bad_model_is_rejected_whatever_its_training_reported(pod: Pod) -> None:
    (pod.source / "rows.jsonl").write_bytes(ROWS)
    pod.evaluate(PROGRAM)
    assert (pod.build(), pod.answer()) == (0, 0)
    assert ask(pod, {"accuracy": "0.99"}, accuracy="result >= 0.9") == 0
    assert pod.word["reason"] == "Rejected"


def test_a_file_may_be_evaluated_with_and_packaged_too(pod: Pod) -> None:
    pod.evaluate("def score(answers, rows):\n    return {}\n", "evaluate.py:score")
    pod.spec["extraFiles"] = ["evaluate.py", "rows.jsonl"]
    assert (pod.build(), pod.answer(), pod.store()) == (0, 0, 0)
    assert {"evaluate.py", "rows.jsonl"} <= set(pod.packager.archive.namelist())


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("def evaluate(answers, rows):\n    return 1 / 0", "ZeroDivisionError"),
        ("import nothing_of_the_kind\nevaluate = None", "nothing_of_the_kind"),
        ("def evaluate(answers, rows):\n    return 0.9", "it returned a float: return a dict"),
        ("def evaluate(answers, rows):\n    return {'a': float('nan')}", "a is no finite number"),
        ("def evaluate(answers, rows):\n    return {'a': 'good'}", "a is no number"),
        ("def evaluate(answers, rows):\n    return {1: 1}", "1 is no name"),
        ("import os\n\ndef evaluate(answers, rows):\n    os._exit(0)", "gave no figures"),
    ],
)
def test_a_function_that_gives_no_figures_is_told_with_its_traceback(
    pod: Pod, program: str, why: str
) -> None:
    pod.evaluate(program)
    assert (pod.build(), pod.answer()) == (0, EX_DATAERR)
    assert pod.word["reason"] == "EvaluateFailed"
    assert "package.samples.evaluate 'evaluate.py:evaluate'" in pod.word["message"]
    assert why in pod.word["message"] + pod.word.get("logTail", "")


def test_a_function_that_does_not_end_is_ended_with_all_that_it_began(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    def within_20_s(program: Program, folder: Path, _: float, log: Path) -> dict[str, float]:
        return evaluate(program, folder, time.monotonic() + 20, log)

    monkeypatch.setattr(answer, "evaluate", within_20_s)  # of its own, however slow the model is
    pod.evaluate(
        "import subprocess, time\n\n\ndef evaluate(answers, rows):\n"
        f"    open({str(pod.folder / 'pid')!r}, 'w').write("
        "str(subprocess.Popen(['sleep', '600']).pid))\n"
        "    time.sleep(600)\n"
    )
    assert (pod.build(), pod.answer()) == (0, EX_DATAERR)
    assert "had not ended in time" in pod.word["message"]
    begun = int((pod.folder / "pid").read_text())
    wait_for(lambda: _state(begun) in ("Z", ""), 60, "what the function began is ended")


def _state(process: int) -> str:
    """Return the state of a process by its letter; empty where there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.mark.parametrize(
    ("program", "reason"),
    [("def evaluate(", "InvalidEvaluate"), ("def score(a, b): ...", "InvalidEvaluate")],
)
def test_a_file_without_the_function_is_refused_before_anything_is_made(
    pod: Pod, program: str, reason: str
) -> None:
    pod.evaluate(program)
    assert pod.build() == EX_DATAERR
    assert pod.word["reason"] == reason


def told(pod: Pod, figures: bytes | None) -> int:
    """Let an enemy write the figures, and store the archive."""
    assert (pod.build(), pod.answer()) == (0, 0)
    path = handed.ANSWERS / "figures.json"
    path.unlink()
    if figures is not None:
        path.write_bytes(figures)
    return pod.store()


@pytest.mark.parametrize(
    "figures",
    [
        b"",
        b"[]",
        b'{"latencySeconds": -1, "evaluated": {}}',
        b'{"latencySeconds": 1, "evaluated": []}',
        b'{"latencySeconds": 1, "evaluated": {"a": Infinity}}',
        b'{"latencySeconds": 1, "evaluated": {"a": ' + b"9" * 400 + b"}}",
        b'{"latencySeconds": 1, "evaluated": {"a\\u0000": 1}}',
        b" " * (64 * 1024) + b'{"latencySeconds": 1, "evaluated": {}}',
        None,
    ],
)
def test_figures_are_an_enemys(pod: Pod, figures: bytes | None) -> None:
    pod.evaluate(PROGRAM.replace('row["expected"]', "1"))
    assert told(pod, figures) == EX_DATAERR
    assert pod.word["reason"] == "EvaluateFailed"


def test_a_link_in_place_of_the_figures_is_not_followed_to_a_key(pod: Pod) -> None:
    key = pod.folder / "private.pem"
    key.write_bytes(b'{"latencySeconds": 1, "evaluated": {"secret": 1}}')
    pod.evaluate(PROGRAM.replace('row["expected"]', "1"))
    assert (pod.build(), pod.answer()) == (0, 0)
    (handed.ANSWERS / "figures.json").unlink()
    (handed.ANSWERS / "figures.json").symlink_to(key)
    assert pod.store() == EX_DATAERR
    assert "leads out of the folder" in pod.word["message"]


def test_an_image_of_an_earlier_release_measures_nothing_and_is_taken(pod: Pod) -> None:
    assert told(pod, None) == 0
    record = json.loads(pod.packager.s3.read(LINEAGE_KEY))
    assert list(record["figures"]) == ["sizeBytes"]


def test_figures_that_nobody_asked_for_are_no_metrics(pod: Pod) -> None:
    forged = Figures(0.1, {"accuracy": 1.0}).told
    assert (pod.build(), pod.answer()) == (0, 0)
    (handed.ANSWERS / "figures.json").write_bytes(forged)
    assert ask(pod, {"accuracy": "0.5"}, accuracy="result >= 0.9") == 0
    (row,) = pod.word["package"]["gates"]
    assert (row["value"], row["source"]) == ("0.5", "Report")


@given(st.dictionaries(st.text(max_size=80), VALUES, max_size=MAX_FIGURES + 2))
def test_any_figures_are_taken_as_numbers_or_refused(figures: dict[str, Any]) -> None:
    try:
        found = evaluated(figures)
    except ValueError:
        return
    assert found == figures
    assert Figures.read(Figures(0.5, found).told) == Figures(0.5, found)


@given(st.binary(max_size=80))
def test_any_bytes_are_figures_or_refused(data: bytes) -> None:
    try:
        Figures.read(data)
    except ValueError:
        return


class One:
    """A number of a library, such as a tensor with one value."""

    def __float__(self) -> float:
        return 1.5


def test_numbers_of_libraries_are_figures_too() -> None:
    assert evaluating.plain({"a": One(), "b": 2}) == {"a": 1.5, "b": 2.0}
