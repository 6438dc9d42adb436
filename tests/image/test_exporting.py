"""`slipway.export` in the trainer's image, and its files served by both servers."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dev.images import buildah, product
from tests.harness.ports import free_ports
from tests.image.exported import PYTHON, SERVERS, Made, archive, ask, make
from tests.unit.server.conftest import doors

pytestmark = pytest.mark.image

FORMATS = {
    "state": ("tabular", "model.pt"),
    "safe": ("tabular", "model.safetensors"),
    "program": ("tabular", "model.pt2"),
    "onnx": ("tabular", "model.onnx"),
    "texts": ("text-classification", "texts.pt2"),
}


@pytest.fixture(scope="module")
def made(root: Path) -> Made:
    image = product.ensure_stored("trainer")
    with buildah.container(image.reference, root) as enter:
        return make(root, enter)


@pytest.fixture(scope="module", params=SERVERS)
def served(request: pytest.FixtureRequest, root: Path, made: Made) -> Iterator[dict[str, str]]:
    """Addresses of the archives, each with the model in another format."""
    folder = root / request.param
    archives = [archive(folder, made, name, *FORMATS[name]) for name in FORMATS]
    image = product.ensure_stored(request.param)
    with ExitStack() as stack:
        enter = stack.enter_context(buildah.container(image.reference, root))
        yield stack.enter_context(SERVERS[request.param](folder, archives, enter))


def test_the_model_that_is_exported_has_learned_something(made: Made) -> None:
    assert made.said[0]["accuracy"] > 0.9


def test_a_file_keeps_no_row_of_the_example_that_is_a_view_of_all_of_them(made: Made) -> None:
    weights = (made.folder / "model.pt").stat().st_size
    for name in ("model.pt2", "model.onnx"):
        assert (made.folder / name).stat().st_size < weights + 100_000


def test_a_model_that_branches_or_fixes_its_rows_is_refused_with_what_to_do(made: Made) -> None:
    refusals = [said["refused"] for said in made.said if "refused" in said]
    assert len(refusals) == 2
    assert refusals[0].startswith("The model cannot be exported: ")
    assert "Write in `dynamic` the sides that may have any length" in refusals[0]
    assert not (made.folder / "no.pt2").exists()


def test_every_format_is_answered_alike_and_takes_any_number_of_rows(
    served: dict[str, str], made: Made
) -> None:
    rows = [row for (row,) in made.rows()]
    for count in (1, 3, len(rows)):
        asked = rows[:count]
        expected = ask(served["state"], "state", asked)
        assert len(expected) == count
        for name in ("safe", "program", "onnx"):
            assert _rounded(ask(served[name], name, asked)) == _rounded(expected), name


def test_a_program_is_loaded_only_where_the_deployment_allows_code(root: Path, made: Made) -> None:
    folder = root / "refused"
    archive(folder, made, "program", *FORMATS["program"])
    image = product.ensure_stored("python")
    words = ["env", "HOME=/tmp", PYTHON, "-P", "-m", "slipway_server", *doors(free_ports(3))]
    with buildah.container(image.reference, root) as enter:
        command = enter([*words, str(folder / "archive-program" / "program.mar")])
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert "Loading model.pt2 runs whatever code it holds. To allow it" in done.stderr


def test_texts_may_have_any_length(served: dict[str, str], made: Made) -> None:
    words = made.rows("texts.jsonl")[0].split()
    for length in (1, 2, 12, 60):
        answer = ask(served["texts"], "texts", {"text": " ".join((words * 5)[:length])})
        assert set(answer["scores"]) == {"0", "1"}


def _rounded(answer: Any) -> Any:
    return json.loads(json.dumps(answer), parse_float=lambda text: round(float(text), 3))
