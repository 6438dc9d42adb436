"""The handler `sklearn`, which needs no torch, in both servers: the Python server, and TorchServe's
own code that loads a handler and calls it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import slipway_runtime as slipway
from slipway_handlers.formats.code import ALLOWED
from slipway_pods.package import built_in
from tests.unit.server.conftest import connected, served, write_archive

ESTIMATOR = """
import numpy as np


class Larger:
    classes_ = np.array(["first", "second"])

    def predict_proba(self, rows):
        second = (rows[:, 1] > rows[:, 0]).astype(float)
        return np.stack([1 - second, second], axis=1)

    def predict(self, rows):
        return self.classes_[self.predict_proba(rows).argmax(axis=1)]
"""
PICKLE = b"clarger\nLarger\n(tR."
"""``larger.Larger()`` as pickle's first protocol has it."""
BODIES: list[Any] = [[{"a": 1, "b": 2.5}], {"instances": [{"a": 3, "b": 2}]}, [{"a": "x", "b": 2}]]
TORCHSERVE = """
import json, sys, types
sys.modules["torch"] = types.ModuleType("torch")
from ts.context import RequestProcessor
from ts.model_loader import ModelLoaderFactory

folder, bodies = sys.argv[1], json.loads(sys.argv[2])
sys.path.insert(0, folder)
loader = ModelLoaderFactory.get_model_loader()
service = loader.load("larger", folder, "slipway_sklearn.py", None, len(bodies))
service.context.request_processor = [RequestProcessor({}) for _ in bodies]
answers = service._entry_point([{"body": body} for body in bodies], service.context)
codes = [service.context.get_response_status(place)[0] for place in range(len(bodies))]
print("answers:" + json.dumps([answers, codes]))
"""
"""What TorchServe's worker does with a handler and a batch, without its frontend.

It imports torch, which these tests lack, for answers that are tensors: an empty module does.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An unpacked archive of an estimator."""
    made = tmp_path / "archive"
    built_in.bring("sklearn", made, made)
    (made / "larger.py").write_text(ESTIMATOR)
    (made / "larger.pkl").write_bytes(PICKLE)
    slipway.signature({"a": [1.0], "b": [1.5]}, folder=made)
    return made


@pytest.fixture
def archive(folder: Path, tmp_path: Path) -> Path:
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    model = {"handler": "slipway_sklearn.py", "serializedFile": "larger.pkl"}
    return write_archive(tmp_path / "echo.mar", files, **model)


def check(first: Any, second: Any, refused: Any) -> None:
    """Assert that these are the answers to the bodies."""
    told = {"label": "second", "score": 1.0, "scores": {"second": 1.0, "first": 0.0}}
    assert first == [told]
    assert second["predictions"][0]["label"] == "first"
    assert refused["code"] == 400
    assert "a of row 0 is 'x', and not a number of float32" in refused["message"]


async def test_the_python_server_answers_by_an_estimator_that_it_may_load(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOWED, "true")
    with served(archive) as process:
        async with connected(process) as server:
            given = [await server.post(body) for body in BODIES]
    assert [status for status, _ in given] == [200, 200, 400]
    check(*(json.loads(text) for _, text in given))


async def test_the_python_server_does_not_start_where_the_deployment_allows_no_pickle(
    archive: Path,
) -> None:
    with served(archive) as process:
        async with connected(process, ready=False) as server:
            assert await server.end() == 1
            assert f"have {ALLOWED}=true in" in server.log


def torchserve(folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    (folder / "MAR-INF").mkdir()
    model = {"handler": "slipway_sklearn.py", "serializedFile": "larger.pkl"}
    (folder / "MAR-INF/MANIFEST.json").write_text(json.dumps({"model": model}))
    return subprocess.run(
        [sys.executable, "-c", TORCHSERVE, str(folder), json.dumps(BODIES)],
        env={**os.environ, **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_torchserves_own_code_answers_by_it_too(folder: Path) -> None:
    done = torchserve(folder, **{ALLOWED: "true"})
    assert done.returncode == 0, done.stderr
    answers, codes = json.loads(done.stdout.rpartition("answers:")[2])
    check(*answers)
    assert codes == [200, 200, 400]


def test_torchserves_own_code_loads_no_pickle_unasked(folder: Path) -> None:
    done = torchserve(folder)
    assert done.returncode == 1
    assert f"have {ALLOWED}=true in" in done.stderr
