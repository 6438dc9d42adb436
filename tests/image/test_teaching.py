"""Learning from another job's model: loss and weights, and the example of teacher and student."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway_pods.bring import archive
from tests.harness.trainer import Enter
from tests.image import checks
from tests.image.examples import Trained, documents, run, trainer

pytestmark = pytest.mark.image
SCRIPT = Path(__file__).parent / "scripts/teaching.py"


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Path, Enter]]:
    with trainer() as place:
        yield place


def test_the_helpers_loss_weights_and_loop_do_what_they_say(place: tuple[Path, Enter]) -> None:
    found = checks.values(place, SCRIPT)
    assert len(found) == 17
    assert {word for word, value in found.items() if json.loads(value) is not True} == set()


@pytest.fixture(scope="module")
def pair(place: tuple[Path, Enter]) -> tuple[Trained, Trained]:
    """The example's teacher, and the student that gets its archive's files as a pod does."""
    root, enter = place
    source, teacher_job, student_job, _ = documents("distillation/digits")
    package = teacher_job["spec"]["package"]
    teacher = run(root / "teacher", enter, source["data"], teacher_job["spec"]["entrypoint"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        opened.writestr("MAR-INF/MANIFEST.json", json.dumps({"model": package}))
        opened.write(teacher.output / package["serializedFile"], package["serializedFile"])
    (root / "teacher.mar").write_bytes(packed.getvalue())
    (name,) = (one["name"] for one in student_job["spec"]["inputs"])
    archive.unpack(root / "teacher.mar", root / "student/inputs" / name)
    return teacher, run(root / "student", enter, source["data"], student_job["spec"]["entrypoint"])


def test_a_student_with_few_labels_learns_more_with_a_teacher_than_alone(
    pair: tuple[Trained, Trained],
) -> None:
    teacher, student = (one.metrics for one in pair)
    assert teacher["accuracy"] >= 0.95
    assert student["teacher"] == teacher["accuracy"]
    assert student["distilled"] >= 0.9, student
    assert student["distilled"] >= student["alone"] + 0.05, student
    assert student["leastGain"] > 0, student


def test_the_pages_figures_of_distillation_reach_the_same_bounds() -> None:
    page = Path(__file__).parents[2] / "docs/examples.md"
    lines = page.read_text().partition("## Distillation")[2].splitlines()
    rows = {line.split("|")[1].strip(): line.split("|")[2:4] for line in lines if line[:1] == "|"}
    alone, distilled = (
        float(rows[name][1])
        for name in ("student, 50 labels", "student, 50 labels and the teacher")
    )
    assert distilled >= 0.9
    assert distilled >= alone + 0.05
