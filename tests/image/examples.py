"""Examples as they are, trained in the trainer's image without a cluster."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dev.datasets import bring
from tests.harness.trainer import Enter

EXAMPLES = Path(__file__).parents[2] / "examples"


def documents(name: str) -> list[dict[str, Any]]:
    """Return an example's objects: its source, its job and its deployment."""
    return list(yaml.safe_load_all((EXAMPLES / f"{name}.yaml").read_text()))


def train(root: Path, enter: Enter, name: str) -> Mapping[str, Any]:
    """Train an example in a folder, whose ``output`` it fills; return its last metrics.

    Its inputs are the data sets of their names.
    """
    source, job, _ = documents(name)
    for made in ("output", "run", "inputs"):
        (root / made).mkdir(parents=True)
    for file, text in source["data"].items():
        (root / file).write_text(text)
    for each in job["spec"].get("inputs", []):
        _put(each, root / "inputs" / each["name"])
    variables = {
        "PYTHONPATH": f"/opt/slipway/runtime:{root}",
        "SLIPWAY_OUTPUT_DIR": root / "output",
        "SLIPWAY_RUN_DIR": root / "run",
        "SLIPWAY_INPUTS_DIR": root / "inputs",
        "OMP_NUM_THREADS": 1,
        "HOME": "/tmp",
    }
    told = [f"{key}={value}" for key, value in variables.items()]
    command = enter(["env", *told, "/opt/venv/bin/python3", str(root / "train.py")])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    metrics: dict[str, Any] = json.loads((root / "run/progress.json").read_text())["metrics"]
    return metrics


def _put(told: Mapping[str, str], folder: Path) -> None:
    """Copy the files of an input's URI, which the data set of its name has."""
    folder.mkdir()
    brought = bring.ensure(told["name"])
    last = told["uri"].rpartition("/")[2]
    for file in [brought / last] if last else brought.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
