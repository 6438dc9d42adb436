"""Networks with fewer weights: what the helper makes of them, and the example of digits."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.trainer import Enter
from tests.image import checks, pruned
from tests.image.examples import Trained, documents, run, trainer

pytestmark = pytest.mark.image
SCRIPT = Path(__file__).parent / "scripts/pruning.py"


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Path, Enter]]:
    with trainer() as place:
        yield place


def test_weights_and_outputs_go_as_the_helper_says(place: tuple[Path, Enter]) -> None:
    found = checks.values(place, SCRIPT)
    assert len(found) == 28
    assert {word for word, value in found.items() if json.loads(value) is not True} == set()


@pytest.fixture(scope="module")
def trained(place: tuple[Path, Enter]) -> Trained:
    root, enter = place
    source, job, _ = documents(pruned.EXAMPLE)
    return run(root / "example", enter, source["data"], job["spec"]["entrypoint"])


@pytest.fixture(scope="module")
def rows(trained: Trained) -> dict[str, dict[str, Any]]:
    return pruned.rows(trained.output)


def test_networks_of_fewer_weights_are_right_about_rows_that_they_have_not_seen(
    trained: Trained, rows: dict[str, dict[str, Any]]
) -> None:
    assert trained.metrics["accuracy"] >= 0.95
    for row in rows.values():
        assert row["accuracy"] >= 0.96, row
    for name in ("unstructured", "structured"):
        assert rows[name]["accuracy"] >= rows["float"]["accuracy"] - 0.02, rows
        assert rows[name]["accuracy"] >= rows[name]["beforeFineTuning"], rows


def test_zeros_make_a_compressed_file_smaller_and_no_other(
    rows: dict[str, dict[str, Any]],
) -> None:
    plain, sparse = rows["float"], rows["unstructured"]
    assert sparse["nonzero"] <= 0.11 * plain["nonzero"]
    assert sparse["sizeBytes"] == pytest.approx(plain["sizeBytes"], rel=0.02)
    assert sparse["compressedBytes"] <= 0.35 * plain["compressedBytes"]
    assert sparse["milliseconds"] >= 0.7 * plain["milliseconds"]


def test_fewer_outputs_make_a_file_smaller_and_faster(rows: dict[str, dict[str, Any]]) -> None:
    plain, small = rows["float"], rows["structured"]
    assert small["weights"] <= 0.1 * plain["weights"]
    assert small["sizeBytes"] <= 0.2 * plain["sizeBytes"]
    assert small["milliseconds"] <= 0.8 * plain["milliseconds"]


def test_the_page_has_a_row_of_each_form_within_the_same_bounds(
    rows: dict[str, dict[str, Any]],
) -> None:
    found = pruned.told(pruned.PAGE.read_text())
    assert list(found) == list(rows)
    assert all(float(cells[-1]) >= 0.96 for cells in found.values())
