"""The wheel alone: no operator, no cluster, no torch, nothing of this repository on its path."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from dev import environment
from tests.unit.server.conftest import PROJECT, write_archive

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
HANDLER = """
from ts.context import Context
from ts.utils.util import PredictionException


def handle(data, context: Context):
    return None if data is None else [row["body"] for row in data]
"""


def _python(version: str) -> str:
    """Return the interpreter of a version; skip where this machine has none."""
    command = [
        str(environment.uv()),
        "python",
        "find",
        "--no-python-downloads",
        "--system",
        version,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"there is no Python {version} here")
    return str(done.stdout.strip())


def _uv(*words: object) -> None:
    command = [str(environment.uv()), *map(str, words)]
    env = {**os.environ, "UV_SYSTEM_CERTS": "1"}
    subprocess.run(command, env=env, check=True, timeout=300)


@pytest.mark.parametrize("version", PYTHONS)
def test_the_wheel_serves_an_archive_in_an_environment_of_its_own(
    archive: Path, tmp_path: Path, version: str
) -> None:
    python, venv = _python(version), tmp_path / "venv"
    _uv("build", "--wheel", "--out-dir", tmp_path, PROJECT)
    [wheel] = tmp_path.glob("*.whl")
    _uv("venv", "--python", python, venv)
    _uv("pip", "install", "--python", venv / "bin/python", wheel)
    sample = json.dumps({"request": {"a": 1}, "expected": {"a": 1}})
    write_archive(archive, {"handler.py": HANDLER, "samples/one.json": sample})
    done = subprocess.run(
        [venv / "bin/slipway-server", "--check", archive],
        env={"PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 samples are answered as they should be." in done.stdout
