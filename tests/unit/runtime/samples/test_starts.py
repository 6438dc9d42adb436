"""A pod is ready once its model answers its archive's rows as when it was packaged, and not before.

The archive is asked and served by the real server, and started under the real watcher.
"""

import json
import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from slipway_pods.package import mar
from slipway_pods.serve.samples import stored
from tests.unit.runtime.samples import model, pods

HELD, LET_IN = "/healthcheck/fail", "/healthcheck/ok"


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The rows of the model with the answers that it had when it was packaged."""
    return pods.packaged(tmp_path_factory.mktemp("packaging"))


@dataclass(frozen=True)
class Skew:
    """What of the archive is another one, and what of the pod."""

    files: dict[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    engine: str = model.ENGINE
    packaged: dict[str, str] = field(default_factory=dict)
    """Variables of the container that asked the model."""


def flipped() -> bytes:
    data = bytearray(model.packed(model.weights()))
    data[2] ^= 1 << 5
    return bytes(data)


def coarse() -> bytes:
    return model.packed([round(weight * 4) / 4 for weight in model.weights()])


def config(**changed: Any) -> str:
    return json.dumps({"dtype": "f", "scale": 0.5, **changed})


TOGETHER = ("--batch-size", "8", "--max-batch-delay", "3000")
SKEWS = {
    "wrong weights": Skew({"weights": model.packed(model.weights(2))}),
    "labels in another order": Skew({"labels": " ".join(reversed(model.LABELS))}),
    "other preprocessing": Skew({"settings": config(scale=0.6)}),
    "another dtype": Skew({"settings": config(dtype="e")}),
    "quantised too far": Skew({"weights": coarse()}),
    "a flipped bit": Skew({"weights": flipped()}),
    "a missing extra file": Skew({"words": None}),
    "another version of its library": Skew(engine=model.OTHER_ENGINE),
    "another number of threads": Skew(variables={"OMP_NUM_THREADS": "4"}),
    "a device that computes otherwise": Skew(variables={"DEVICE": "half"}),
    "an effect of the batch": Skew(
        options=TOGETHER, variables={"BATCH_NORM": "1"}, packaged={"BATCH_NORM": "1"}
    ),
    "a stale cache": Skew(variables={"CACHE": "cache.json"}),
}


def stale(folder: Path) -> str:
    """Return the file of a cache that knows a row's answer of another model."""
    row = json.loads(model.rows().splitlines()[4])["body"]
    known = [*(value * 0.5 for value in row["values"]), float(row["word"] == "yes")]
    path = folder / "cache.json"
    path.write_text(json.dumps({json.dumps(known): {"label": "bee", "scores": [0.1, 0.2, 0.3]}}))
    return str(path)


def written(path: Path, entry: bytes, **files: Any) -> Path:
    model.write(path, **files)
    mar.add(path, stored.ENTRY, entry)
    return path


@pytest.mark.parametrize("name", SKEWS)
def test_a_skew_is_stopped_before_the_first_users_request(
    name: str, entry: bytes, tmp_path: Path
) -> None:
    skew = SKEWS[name]
    known = pods.packaged(tmp_path, **skew.packaged) if skew.packaged else entry
    variables = {**skew.variables, "ENGINE": pods.engine(tmp_path / "other", skew.engine)}
    if "CACHE" in variables:
        variables["CACHE"] = stale(tmp_path)
    archive = written(tmp_path / "net.mar", known, **skew.files)
    failure, told = pods.start(archive, *skew.options, **variables)
    assert failure is not None
    assert failure.reason == "SamplesFailed"
    assert re.match(r"Row \d+ is not answered as when the archive was made: at \.", failure.message)
    assert told == [HELD]


def test_a_model_that_answers_as_it_did_is_let_in(entry: bytes, tmp_path: Path) -> None:
    archive = written(tmp_path / "net.mar", entry)
    variables = {"ENGINE": pods.engine(tmp_path / "image"), "OMP_NUM_THREADS": "2"}
    assert pods.start(archive, "--batch-size", "4", **variables) == (None, [HELD, LET_IN])


def noisy(chance: random.Random) -> str:
    """Return the library as another machine computes it: its sums end otherwise."""
    share = chance.uniform(-2e-6, 2e-6)
    return f"{model.ENGINE}\nexact = gelu\ngelu = lambda x: exact(x) * (1.0 + {share!r})\n"


@pytest.mark.long
def test_of_two_hundred_honest_starts_none_is_refused(entry: bytes, tmp_path: Path) -> None:
    chance = random.Random(3)  # noqa: S311 - any order will do
    archive = written(tmp_path / "net.mar", entry)
    for _ in range(200):
        engine = pods.engine(tmp_path / "image", noisy(chance))
        threads = {"OMP_NUM_THREADS": str(chance.randint(1, 3))}
        batch = ("--batch-size", str(chance.choice([1, 2, 8])), "--max-batch-delay", "5")
        assert pods.start(archive, *batch, ENGINE=engine, **threads) == (None, [HELD, LET_IN])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[]\n", "cannot be read: its first line: it is no object"),
        (b'{"tolerance": 0}\n{"body": {}, "answer": 1}\n', "Row 1 is answered with 503"),
        (b'{"tolerance": 0}\n{"answer": 1}\n', "cannot be read: row 1: it is no object with"),
    ],
)
def test_rows_that_cannot_be_asked_keep_a_pod_from_serving(
    tmp_path: Path, content: bytes, why: str
) -> None:
    archive = written(tmp_path / "net.mar", content)
    failure, told = pods.start(archive, ENGINE=pods.engine(tmp_path / "image"))
    assert failure is not None
    assert why in failure.message
    assert told == [HELD]
