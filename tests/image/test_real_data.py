"""The examples on data that packages ship: what they say of rows held out, and write."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.images import buildah, product
from slipway_handlers import signature
from slipway_handlers.sequences import letters
from slipway_handlers.sequences.settings import SequenceSettings
from slipway_handlers.tables import columns
from slipway_pods.package import built_in
from tests.harness.trainer import Enter
from tests.image.examples import documents, train

pytestmark = pytest.mark.image

FLOORS = {
    "tables/wine": (0.9, 0.4),
    "tables/digits": (0.93, 0.4),
    "sequences/peptides": (0.84, 0.25),
}
"""Least accuracy on what is held out, and by how much it is above the commonest class's."""
OVER_BASELINE = {"sequences/peptides": 0.02}
"""By how much it is above a simple model's, where the script asks one too."""


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Path, Enter]]:
    """A folder, and what lets commands run in the trainer's image, which sees it."""
    image = product.ensure_stored("trainer")
    with (
        tempfile.TemporaryDirectory(prefix="slipway-", dir="/tmp") as name,
        buildah.container(image.reference, Path(name)) as enter,
    ):
        yield Path(name), enter


@pytest.mark.parametrize("name", FLOORS)
def test_an_example_is_right_about_rows_that_it_has_not_seen(
    place: tuple[Path, Enter], name: str
) -> None:
    root, enter = place
    folder = root / name.replace("/", "-")
    metrics = train(folder, enter, name)
    least, above = FLOORS[name]
    assert metrics["accuracy"] >= least, metrics
    assert metrics["accuracy"] >= metrics["majority"] + above, metrics
    assert metrics["accuracy"] >= metrics.get("baseline", 0) + OVER_BASELINE.get(name, 0), metrics
    package = documents(name)[1]["spec"]["package"]
    assert (folder / "output" / package["serializedFile"]).is_file()
    told = signature.load(folder / "output")
    built_in.check(package["handler"], package.get("config") or {}, folder / "output")
    assert told.sample is not None
    if package["handler"] == "tabular":
        assert columns.read(told.sample.body, told.inputs).rows == 1
    if package["handler"] == "sequence":
        settings = SequenceSettings.read(told.preprocessing)
        assert len(letters.read(told.sample.body, settings)) == len(told.sample.body["sequence"])


def test_the_requirements_name_the_version_that_trains(place: tuple[Path, Enter]) -> None:
    _, enter = place
    ask = "import sklearn; print(sklearn.__version__)"
    command = enter(("/opt/venv/bin/python3", "-c", ask))
    version = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    needed = documents("tables/digits")[0]["data"]["requirements.txt"].strip()
    assert needed == f"scikit-learn=={version}"
