"""The packaging pod of an archive with samples, whose containers run here one after the other."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from slipway_pods.package import package
from slipway_pods.package.samples import answer, build, handed
from slipway_pods.serve.samples import stored
from tests.harness.ports import free_ports
from tests.harness.s3 import S3Server
from tests.unit.runtime.package.test_package import SPEC, Packager
from tests.unit.server.conftest import PYTHONPATH

ROWS = b'{"body": {"x": 1}}\n{"body": {"x": 0.1}}\n{"base64": "/w==", "contentType": "image/png"}\n'
HANDLER = """
def handle(data, context):
    if data is not None:
        return [answer(row.get("body")) for row in data]


def answer(body):
    return {"twice": 2 * body["x"]} if isinstance(body, dict) else bytes(body) * 2
"""
SAMPLES = {"file": "rows.jsonl", "tolerance": 0.0001}
WANTED = {**SPEC, "samples": SAMPLES, "modelFile": None}


class Pod:
    """The three containers of a packaging pod, one after the other."""

    def __init__(self, packager: Packager, folder: Path) -> None:
        self.packager, self.folder = packager, folder
        self.spec = {key: value for key, value in WANTED.items() if value is not None}
        self.source = packager.source
        (self.source / "handler.py").write_text(HANDLER)
        (self.source / "rows.jsonl").write_bytes(ROWS)

    def build(self) -> int:
        return package.main(self.packager.env(self.spec), build.build)

    def answer(self, seconds: float = 120, **variables: str) -> int:
        told = {"modelName": "net", "tolerance": 0.0001, "timeoutSeconds": seconds}
        if "evaluate" in self.spec["samples"]:
            told["evaluate"] = self.spec["samples"]["evaluate"]
        return answer.main({**os.environ, "SLIPWAY_SAMPLES": json.dumps(told), **variables})

    def store(self, **changed: Any) -> int:
        return package.main(self.packager.env({**self.spec, **changed}))

    def evaluate(self, program: str, name: str = "evaluate.py") -> None:
        """Have the job's author ask for an evaluation."""
        (self.source / name.partition(":")[0]).write_text(program)
        self.spec["samples"] = {**SAMPLES, "evaluate": name}

    @property
    def word(self) -> dict[str, Any]:
        return self.packager.word

    @property
    def entry(self) -> bytes:
        return self.packager.archive.read(stored.ENTRY)


@pytest.fixture
def pod(
    s3: S3Server, tmp_path: Path, termination_log: Path, monkeypatch: pytest.MonkeyPatch
) -> Pod:
    monkeypatch.setattr(package, "PATIENCE", 0.0)
    monkeypatch.setattr(answer, "free_ports", free_ports)
    scratch = tmp_path / "scratch"
    for folder in (scratch, tmp_path / "answers"):
        folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.setattr(handed, "BUILT", scratch / handed.MADE)
    monkeypatch.setattr(handed, "ANSWERS", tmp_path / "answers")
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    made = Packager(s3, tmp_path, termination_log)
    made.store()
    return Pod(made, tmp_path)
