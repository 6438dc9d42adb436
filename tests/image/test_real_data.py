"""The examples on data that packages ship: what they say of rows held out, write and answer."""

import json
import runpy
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from dev.images import buildah, product
from slipway_handlers import images, signature, texts
from slipway_handlers.sequences import letters
from slipway_handlers.sequences.settings import SequenceSettings
from slipway_handlers.settings import ImageSettings
from slipway_handlers.signature import Signature
from slipway_handlers.tables import columns
from slipway_pods.package import built_in, mar
from tests.harness.trainer import Enter
from tests.image.examples import FLOORS, Trained, documents, train, trainer
from tests.image.exported import by_python

pytestmark = pytest.mark.image

VERSES = "translation/verses"
"""The example with a handler of its own."""
LONG = {"images/fashion", VERSES}
"""What takes minutes of one core."""
NAMES = [pytest.param(each, marks=pytest.mark.long) if each in LONG else each for each in FLOORS]
WITHOUT_CODE = [each for each in NAMES if VERSES not in getattr(each, "values", ())]

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
    reached = metrics[floor.figure]
    assert reached >= floor.accuracy, metrics
    assert reached >= metrics[floor.trivial] + floor.above_majority, metrics
    assert reached >= metrics.get("baseline", 0) + floor.above_baseline, metrics


@pytest.mark.parametrize("name", WITHOUT_CODE)
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


@pytest.fixture(scope="module")
def translator(
    place: tuple[Path, Enter], trained: Callable[[str], Trained]
) -> Iterator[Callable[[Any], httpx.Response]]:
    """Asks the server of the translations' archive."""
    root, _ = place
    output, folder = trained(VERSES).output, root / "served"
    source, job, _ = documents(VERSES)
    told = job["spec"]["package"]
    extra = folder / "extra"
    extra.mkdir(parents=True)
    for name, text in source["data"].items():
        (folder / name).write_text(text)
    for name in told["extraFiles"]:
        found = folder / name if name in source["data"] else output / name
        (extra / name).write_bytes(found.read_bytes())
    weights, model = output / told["serializedFile"], folder / told["modelFile"]
    handler = folder / told["handler"]
    contents = mar.Contents("verses", "1.0", weights, handler, model_file=model, extra=extra)
    archive, reference = mar.build(contents, root), product.ensure_stored("python").reference
    with buildah.container(reference, root) as enter, by_python(root, [archive], enter) as urls:
        url = f"{urls['verses']}/predictions/verses"
        yield lambda body: httpx.post(url, json=body, timeout=60)


@pytest.mark.long
def test_verses_are_translated_by_the_server_as_they_were_by_the_script(
    trained: Callable[[str], Trained], translator: Callable[[Any], httpx.Response]
) -> None:
    lines = (trained(VERSES).output / "samples.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 100
    answers = [translator(row["body"]).json() for row in rows]
    program = trained(VERSES).output.with_name("evaluate.py")
    figures = runpy.run_path(str(program))["evaluate"](answers, rows)
    assert figures["chrf"] == pytest.approx(trained(VERSES).metrics["samples"], abs=1e-9)


@pytest.mark.long
@pytest.mark.parametrize(
    "body", [{}, {"text": ""}, {"text": 5}, {"texts": "He"}, ["He"], {"text": "He " * 16}]
)
def test_what_is_no_verse_is_refused_with_the_fields_name(
    translator: Callable[[Any], httpx.Response], body: Any
) -> None:
    told = translator(body)
    assert told.status_code == 400
    assert "text is " in told.json()["message"]


def test_the_requirements_name_the_version_that_trains(place: tuple[Path, Enter]) -> None:
    _, enter = place
    ask = "import sklearn; print(sklearn.__version__)"
    command = enter(("/opt/venv/bin/python3", "-c", ask))
    version = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    needed = documents("tables/digits")[0]["data"]["requirements.txt"].strip()
    assert needed == f"scikit-learn=={version}"
