"""Examples as they are, trained in the trainer's image without a cluster."""

import json
import resource
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dev.datasets import bring
from dev.images import buildah, product
from tests.harness.trainer import Enter

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Floor:
    """What an example must reach on rows held out.

    ``accuracy`` is the least, ``above_majority`` how far it is above the commonest class's share,
    and ``above_baseline`` how far above the simple model that the script asks too: below 0 where
    these may be the better. ``figure`` and ``trivial`` are what the script calls the first
    two.
    """

    accuracy: float
    above_majority: float
    above_baseline: float = 0.0
    figure: str = "accuracy"
    trivial: str = "majority"


FLOORS = {
    "tables/wine": Floor(0.9, 0.4),
    "tables/digits": Floor(0.93, 0.4),
    "sequences/peptides": Floor(0.84, 0.25, 0.02),
    "sequences/splices": Floor(0.92, 0.3, -0.02),
    "texts/reviews": Floor(0.71, 0.2, -0.07),
    "translation/verses": Floor(0.2, -0.1, -0.25, "chrf", "nearest"),
    "images/fashion": Floor(0.87, 0.75, 0.03),
}


@dataclass(frozen=True)
class Trained:
    """What a training left: its last metrics, its output's folder, and the time that it took."""

    metrics: Mapping[str, float]
    output: Path
    cpu_seconds: float


def documents(name: str) -> list[dict[str, Any]]:
    """Return an example's objects: its source, its job and its deployment."""
    return list(yaml.safe_load_all((EXAMPLES / f"{name}.yaml").read_text()))


@contextmanager
def trainer() -> Iterator[tuple[Path, Enter]]:
    """Yield a folder, and what lets commands run in the trainer's image, which sees it."""
    image = product.ensure_stored("trainer")
    with (
        tempfile.TemporaryDirectory(prefix="slipway-", dir="/tmp") as name,
        buildah.container(image.reference, Path(name)) as enter,
    ):
        yield Path(name), enter


def train(root: Path, enter: Enter, name: str) -> Trained:
    """Train an example in a folder of its own; its inputs are the data sets of their names."""
    source, job, _ = documents(name)
    (root / "inputs").mkdir(parents=True)
    for each in job["spec"].get("inputs", []):
        _put(each, root / "inputs" / each["name"])
    return run(root, enter, source["data"], job["spec"]["entrypoint"])


def run(root: Path, enter: Enter, files: Mapping[str, str], script: str) -> Trained:
    """Run a script among its files in a folder, where ``inputs`` has what it reads."""
    for made in ("output", "run", "inputs"):
        (root / made).mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (root / file).write_text(text)
    variables = {
        "PYTHONPATH": f"/opt/slipway/runtime:{root}",
        "SLIPWAY_OUTPUT_DIR": root / "output",
        "SLIPWAY_RUN_DIR": root / "run",
        "SLIPWAY_INPUTS_DIR": root / "inputs",
        "OMP_NUM_THREADS": 1,
        "HOME": "/tmp",
    }
    told = [f"{key}={value}" for key, value in variables.items()]
    command = enter(["env", *told, "/opt/venv/bin/python3", str(root / script)])
    before = _cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((root / "run/progress.json").read_text())["metrics"]
    return Trained(metrics, root / "output", _cpu_seconds() - before)


def _cpu_seconds() -> float:
    """Return what processes that ended, and were waited for, have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _put(told: Mapping[str, str], folder: Path) -> None:
    """Copy the files of an input's URI, which the data set of its name has."""
    folder.mkdir()
    brought = bring.ensure(told["name"])
    last = told["uri"].rpartition("/")[2]
    for file in [brought / last] if last else brought.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
