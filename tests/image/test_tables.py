"""The examples of tables, trained as they are: what they say of rows held out, and write."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.images import buildah, product
from slipway_handlers import signature
from slipway_handlers.tables import columns, declared
from slipway_pods.package import built_in
from tests.harness.trainer import Enter

pytestmark = pytest.mark.image

EXAMPLES = Path(__file__).parents[2] / "examples/tables"
FLOORS = {"wine": 0.9, "digits": 0.93}
"""Least accuracy on the rows held out."""
OVER_BASELINE = 0.4
"""By how much it is above that of the most frequent class, at least."""


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Path, Enter]]:
    """A folder, and what lets commands run in the trainer's image, which sees it."""
    image = product.ensure_stored("trainer")
    with (
        tempfile.TemporaryDirectory(prefix="slipway-", dir="/tmp") as name,
        buildah.container(image.reference, Path(name)) as enter,
    ):
        yield Path(name), enter


def documents(name: str) -> list[dict[str, Any]]:
    """Return an example's objects: its source, its job and its deployment."""
    return list(yaml.safe_load_all((EXAMPLES / f"{name}.yaml").read_text()))


def train(root: Path, enter: Enter, name: str) -> Mapping[str, Any]:
    """Train an example in a folder, whose ``output`` it fills; return its last metrics."""
    for made in ("output", "run"):
        (root / made).mkdir(parents=True)
    for file, text in documents(name)[0]["data"].items():
        (root / file).write_text(text)
    variables = {
        "PYTHONPATH": f"/opt/slipway/runtime:{root}",
        "SLIPWAY_OUTPUT_DIR": root / "output",
        "SLIPWAY_RUN_DIR": root / "run",
        "OMP_NUM_THREADS": 1,
        "HOME": "/tmp",
    }
    told = [f"{key}={value}" for key, value in variables.items()]
    command = enter(["env", *told, "/opt/venv/bin/python3", str(root / "train.py")])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    metrics: dict[str, Any] = json.loads((root / "run/progress.json").read_text())["metrics"]
    return metrics


@pytest.mark.parametrize("name", FLOORS)
def test_an_example_of_tables_is_right_about_rows_that_it_has_not_seen(
    place: tuple[Path, Enter], name: str
) -> None:
    root, enter = place
    metrics = train(root / name, enter, name)
    assert metrics["accuracy"] >= FLOORS[name]
    assert metrics["accuracy"] >= metrics["baseline"] + OVER_BASELINE
    package = documents(name)[1]["spec"]["package"]
    assert (root / name / "output" / package["serializedFile"]).is_file()
    told = signature.load(root / name / "output")
    built_in.check(package["handler"], package.get("config") or {}, root / name / "output")
    assert told.sample is not None
    if declared.is_table(told.inputs):
        assert columns.read(told.sample.body, told.inputs).rows == 1


def test_the_requirements_name_the_version_that_trains(place: tuple[Path, Enter]) -> None:
    _, enter = place
    ask = "import sklearn; print(sklearn.__version__)"
    command = enter(("/opt/venv/bin/python3", "-c", ask))
    version = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    needed = documents("digits")[0]["data"]["requirements.txt"].strip()
    assert needed == f"scikit-learn=={version}"
