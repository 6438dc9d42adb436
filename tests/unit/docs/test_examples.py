"""Examples on real data: their page, and how they divide rows."""

import random
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.fixture(scope="module")
def verses(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Runs a module of the translations' source that needs no torch."""
    folder = tmp_path_factory.mktemp("verses")

    def module(name: str) -> dict[str, Any]:
        file = folder / name
        file.write_text(documents("translation/verses")[0]["data"][name])
        return runpy.run_path(str(file))

    return module


@pytest.mark.parametrize(
    ("told", "expected", "figure"),
    [
        ("abc", "ABC", 1.0),
        ("abc", "xyz", 0.0),
        ("", "abc", 0.0),
        ("ab c", "a bc", 1.0),
        # Of runs of 1, 2 and 3 letters the precision is 3/4, 2/3 and 1/2, and the recall 1.
        ("abcd", "abc", 5 * 23 / 36 / (4 * 23 / 36 + 1)),
    ],
)
def test_chrf_is_the_share_of_common_runs_of_letters(
    verses: Callable[[str], dict[str, Any]], told: str, expected: str, figure: float
) -> None:
    chrf = verses("evaluate.py")["chrf"]
    assert chrf([told], [expected]) == pytest.approx(figure)


SAID = ["y dijo dios: ¿quién eres?", "y dijo el señor.", "dios dijo: sea la luz."]


@pytest.fixture(scope="module")
def pieces(verses: Callable[[str], dict[str, Any]]) -> Any:
    """Pieces that were learned of few texts."""
    module = verses("pieces.py")
    return module["Pieces"](module["learn"](SAID, 60))


def test_pieces_are_made_of_the_commonest_neighbours(pieces: Any) -> None:
    assert pieces.split("dijo ") == ["dijo "]
    assert "".join(pieces.split("sea ")) == "sea "
    assert len(set(pieces.pieces)) == len(pieces.pieces) <= 60


@pytest.mark.parametrize("text", SAID)
def test_a_text_of_known_letters_is_the_same_again(pieces: Any, text: str) -> None:
    assert pieces.decode(pieces.encode(text, 64)) == text


@given(text=st.text(max_size=50), longest=st.integers(2, 30))
def test_any_text_has_numbers_between_begin_and_end(pieces: Any, text: str, longest: int) -> None:
    numbers = pieces.encode(text, longest)
    assert numbers[0] == 1
    assert numbers[-1] == 2
    assert len(numbers) <= longest
    assert all(3 <= number < len(pieces.pieces) for number in numbers[1:-1])
