"""Examples on real data: their page, and how they divide rows."""

import random
import runpy
from pathlib import Path

from tests.image import figures
from tests.image.examples import EXAMPLES, FLOORS, documents

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"


def test_every_example_on_real_data_has_a_row_that_reaches_its_floor() -> None:
    rows = figures.rows(figures.PAGE.read_text())
    assert list(rows) == list(FLOORS)
    for name, row in rows.items():
        accuracy = float(row.split("|")[4])
        assert accuracy >= FLOORS[name].accuracy, row


def test_every_example_that_takes_shared_data_is_trained_by_the_tests() -> None:
    asking = {
        str(path.relative_to(EXAMPLES).with_suffix(""))
        for path in EXAMPLES.rglob("*.yaml")
        if "/shared/datasets/" in path.read_text()
    }
    assert asking <= set(FLOORS)


def test_a_family_of_peptides_has_the_number_of_its_first_whatever_the_order_of_sets(
    tmp_path: Path,
) -> None:
    chance, sequences = random.Random(0), []  # noqa: S311
    for _ in range(20):
        halves = ["".join(chance.choices(AMINO_ACIDS, k=12)) for _ in range(2)]
        sequences += [*halves, "".join(halves)]
    file = tmp_path / "families.py"
    file.write_text(documents("sequences/peptides")[0]["data"][file.name])
    families = runpy.run_path(str(file))["families"]
    assert families(sequences) == [number - number % 3 for number in range(60)]
