"""The Keras example on torch, with the real packages: its script trains, and its app answers."""

import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from dev import paths
from tests.harness.ports import free_port
from tests.harness.trainer import Enter
from tests.harness.trees import end_tree
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.image

EXAMPLE = paths.REPOSITORY / "examples" / "keras"
ROWS = [[0.5], [-1.0]]
LINE = [[pytest.approx(2.0, abs=0.1)], [pytest.approx(-1.0, abs=0.1)]]


def test_a_model_that_keras_trains_and_saves_on_torch_is_served(inside: tuple[Path, Enter]) -> None:
    folder, enter = inside[0] / "keras", inside[1]
    folder.mkdir()
    for name in ("train.py", "app.py"):
        (folder / name).write_text((EXAMPLE / name).read_text())
    port = free_port()
    told = {"HOME": folder, "SLIPWAY_OUTPUT_DIR": folder, "SLIPWAY_MODEL_DIR": folder}
    words = [f"{name}={value}" for name, value in {**told, "PORT": port}.items()]
    command = ["env", "KERAS_BACKEND=torch", *words, "/opt/venv/bin/python3"]
    subprocess.run(enter([*command, str(folder / "train.py")]), check=True)
    server = subprocess.Popen(list(enter([*command, str(folder / "app.py")])))
    try:
        wait_for(lambda: asked(port) == LINE, 120, "the app answers")
    finally:
        end_tree(server)


def asked(port: int) -> object:
    """Return what the app makes of the rows; None before it listens."""
    body = json.dumps(ROWS).encode()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/predict", body, 60) as answer:
            return json.loads(answer.read())
    except urllib.error.URLError:
        return None
