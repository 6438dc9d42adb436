"""The examples on data that packages ship: what they say of rows held out, and write."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slipway_handlers import images, signature, texts
from slipway_handlers.sequences import letters
from slipway_handlers.sequences.settings import SequenceSettings
from slipway_handlers.settings import ImageSettings
from slipway_handlers.signature import Signature
from slipway_handlers.tables import columns
from slipway_pods.package import built_in
from tests.harness.trainer import Enter
from tests.image.examples import FLOORS, Trained, documents, train, trainer

pytestmark = pytest.mark.image

LONG = {"images/fashion"}
"""What takes minutes of one core."""
NAMES = [pytest.param(each, marks=pytest.mark.long) if each in LONG else each for each in FLOORS]

READERS: Mapping[str, Callable[[Any, Signature], object]] = {
    "tabular": lambda body, told: columns.read(body, told.inputs),
    "sklearn": lambda body, told: np.asarray(body, float).reshape(-1, *told.inputs[0].shape[1:]),
    "sequence": lambda body, told: letters.read(body, SequenceSettings.read(told.preprocessing)),
    "text-classification": lambda body, told: texts.given_text(body),
    "image-classification": lambda body, told: images.read(
        body, ImageSettings.read(told.preprocessing)
    ),
}
"""What a handler reads its requests by; each raises for one that it refuses."""


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Path, Enter]]:
    with trainer() as place:
        yield place


@pytest.fixture(scope="module")
def trained(place: tuple[Path, Enter]) -> Callable[[str], Trained]:
    """Trains an example by its name, once for all tests."""
    root, enter = place
    return cache(lambda name: train(root / name.replace("/", "-"), enter, name))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_right_about_rows_that_it_has_not_seen(
    trained: Callable[[str], Trained], name: str
) -> None:
    metrics, floor = trained(name).metrics, FLOORS[name]
    assert metrics["accuracy"] >= floor.accuracy, metrics
    assert metrics["accuracy"] >= metrics["majority"] + floor.above_majority, metrics
    assert metrics["accuracy"] >= metrics.get("baseline", 0) + floor.above_baseline, metrics


@pytest.mark.parametrize("name", NAMES)
def test_an_example_writes_what_its_handler_goes_by(
    trained: Callable[[str], Trained], name: str
) -> None:
    output = trained(name).output
    package = documents(name)[1]["spec"]["package"]
    assert (output / package["serializedFile"]).is_file()
    told = signature.load(output)
    built_in.check(package["handler"], package.get("config") or {}, output)
    assert told.sample is not None
    READERS[package["handler"]](told.sample.body, told)


@pytest.mark.long
def test_a_deep_network_learns_by_its_shortcuts_where_gradients_vanish_without(
    trained: Callable[[str], Trained],
) -> None:
    metrics = trained("images/fashion").metrics
    assert metrics["gradient"] >= 0.05, metrics
    assert metrics["plainGradient"] <= 1e-5, metrics
    assert metrics["plain"] <= metrics["accuracy"] - 0.03, metrics


def test_the_requirements_name_the_version_that_trains(place: tuple[Path, Enter]) -> None:
    _, enter = place
    ask = "import sklearn; print(sklearn.__version__)"
    command = enter(("/opt/venv/bin/python3", "-c", ask))
    version = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    needed = documents("tables/digits")[0]["data"]["requirements.txt"].strip()
    assert needed == f"scikit-learn=={version}"
