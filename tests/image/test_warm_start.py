"""Trainings that start from another job's weights: brought, unpacked and loaded as in a pod.

The archive comes from a store by the init container's own program, and the script loads it; both
run in the trainer's image. What an archive holds is its author's, who may mean harm.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slipway_pods.bring.archive import SMALL_BYTES
from slipway_pods.package import mar
from tests.harness.s3 import S3Server
from tests.harness.trainer import Enter
from tests.image.examples import trainer

pytestmark = pytest.mark.image

SCRIPT = Path(__file__).parent / "scripts/warm_start.py"
PYTHON = "/opt/venv/bin/python3"
KEY = "models/ns/teacher/uid/teacher-1.0.mar"
MANIFEST = "MAR-INF/MANIFEST.json"


@dataclass(frozen=True)
class Written:
    """A folder that the image sees, with the weights of `SCRIPT`, and the teacher's loss."""

    root: Path
    enter: Enter
    loss: float

    @property
    def weights(self) -> Path:
        return self.root / "weights"

    def run(self, *words: str, **variables: str) -> str:
        """Run Python in the image; returns what it printed."""
        told = {"HOME": "/tmp", "OMP_NUM_THREADS": "1", **variables}
        pairs = (f"{name}={value}" for name, value in told.items())
        command = self.enter(["env", *pairs, PYTHON, *words])
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def written() -> Iterator[Written]:
    with trainer() as (root, enter):
        shutil.copyfile(SCRIPT, root / SCRIPT.name)
        (root / "weights").mkdir()
        place = Written(root, enter, 0)
        told = json.loads(place.run(str(root / SCRIPT.name), "write", str(place.weights)))
        yield Written(root, enter, told["loss"])


class Pod:
    """One pod's inputs: brought by the init container's program, and loaded by the script."""

    def __init__(self, written: Written, store: S3Server) -> None:
        self.written, self._store = written, store
        self.inputs = Path(tempfile.mkdtemp(prefix="inputs-", dir=written.root))
        self.folder = self.inputs / "teacher"
        self.folder.mkdir()

    def bring(self, stored: bytes, sha256: str | None = None) -> dict[str, Any]:
        """Return the init container's last word."""
        target = self._store.bucket / KEY
        target.parent.mkdir(parents=True)
        target.write_bytes(stored)
        digest = sha256 or hashlib.sha256(stored).hexdigest()
        wanted = {
            "name": "teacher",
            "uri": f"s3://slipway/{KEY}",
            "sha256": digest,
            "archive": {},
        }
        word = self.inputs / "word"
        told = {
            "SLIPWAY_INPUT": json.dumps(wanted),
            "SLIPWAY_INPUT_DIR": str(self.folder),
            "SLIPWAY_TERMINATION_LOG": str(word),
            "TMPDIR": str(self.inputs),
            **self._store.env,
        }
        self.written.run("-I", "-m", "slipway_pods.bring.bring_input", **told)
        found: dict[str, Any] = json.loads(word.read_text())
        return found

    def start(self) -> dict[str, Any]:
        """Return what became of a training that starts from the input."""
        script = str(self.written.root / SCRIPT.name)
        told = self.written.run(script, "start", "teacher", SLIPWAY_INPUTS_DIR=str(self.inputs))
        found: dict[str, Any] = json.loads(told)
        return found

    @property
    def files(self) -> dict[str, int]:
        """The files of the input and their sizes in bytes; links are none."""
        found = (Path(root, name) for root, _, names in os.walk(self.folder) for name in names)
        return {
            str(path.relative_to(self.folder)): path.stat().st_size
            for path in found
            if not path.is_symlink()
        }


@pytest.fixture
def pod(written: Written, s3: S3Server) -> Pod:
    return Pod(written, s3)


def archive(written: Written, name: str = "model.pt") -> bytes:
    """Return the archive of weights, as the packaging pod makes it."""
    with tempfile.TemporaryDirectory() as folder:
        weights, handler = Path(folder, "model.pt"), Path(folder, "handler.py")
        shutil.copyfile(written.weights / name, weights)
        handler.write_text("def handle(data, context):\n    return data\n")
        contents = mar.Contents("teacher", "1.0", weights, handler)
        return mar.build(contents, Path(folder)).read_bytes()


def tarred(**links: tarfile.TarInfo) -> bytes:
    """Return a tar archive whose manifest names model.pt, with these entries by their names."""
    manifest = json.dumps({"model": {"serializedFile": "model.pt"}}).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        head = tarfile.TarInfo(MANIFEST)
        head.size = len(manifest)
        made.addfile(head, io.BytesIO(manifest))
        for each in links.values():
            made.addfile(each)
    return buffer.getvalue()


def link(target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Return a link that stands in for the weights."""
    made = tarfile.TarInfo("model.pt")
    made.type, made.linkname = kind, target
    return made


def test_a_training_that_starts_from_a_teacher_begins_where_it_was_and_learns_on(
    written: Written, pod: Pod
) -> None:
    stored = archive(written)
    word = pod.bring(stored)
    assert (word["reason"], word["sha256"]) == ("Fetched", hashlib.sha256(stored).hexdigest())
    assert {MANIFEST, "model.pt"} <= set(pod.files)
    found = pod.start()
    print(found, flush=True)
    assert found["first"] == pytest.approx(written.loss, rel=1e-5)
    assert found["warm"] < found["first"]
    assert found["warm"] < found["cold"] / 5


@pytest.mark.parametrize("name", ["evil.pt", "bare.pt", "module.pt"])
def test_weights_that_are_code_are_refused_and_nothing_of_them_runs(
    written: Written, pod: Pod, name: str
) -> None:
    assert pod.bring(archive(written, name))["reason"] == "Fetched"
    found = pod.start()
    assert found["error"] == "UnpicklingError"
    assert "Weights only load failed" in found["message"]
    assert not (written.weights / "ran").exists()


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("larger.pt", "RuntimeError", "size mismatch"),
        ("bomb.pt", "ValueError", "model.pt holds more bytes than it has"),
    ],
)
def test_weights_of_another_model_and_those_that_grow_are_refused_in_little_memory(
    written: Written, pod: Pod, name: str, error: str, words: str
) -> None:
    assert pod.bring(archive(written, name))["reason"] == "Fetched"
    assert pod.files["model.pt"] < 8 * 2**20
    found = pod.start()
    assert (found["error"], words in found["message"]) == (error, True), found
    assert found["mib"] < 64


def test_weights_that_were_cut_are_refused(written: Written, pod: Pod) -> None:
    assert pod.bring(archive(written, "cut.pt"))["reason"] == "Fetched"
    assert "error" in pod.start()


def test_an_archive_that_grows_beyond_its_bounds_is_not_brought(written: Written, pod: Pod) -> None:
    buffer = io.BytesIO(archive(written))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        made.writestr("zeros", bytes(SMALL_BYTES))
    word = pod.bring(buffer.getvalue())
    assert word["reason"] == "InvalidArchive"
    assert "holds more than" in word["message"]
    assert sum(pod.files.values()) <= SMALL_BYTES


@pytest.mark.parametrize("target", ["../other/model.pt", "/proc/self/environ", "model.pt"])
def test_a_link_in_place_of_the_weights_leads_to_nothing_outside(
    written: Written, pod: Pod, target: str
) -> None:
    (pod.inputs / "other").mkdir()
    shutil.copyfile(written.weights / "model.pt", pod.inputs / "other/model.pt")
    assert pod.bring(tarred(link=link(target)))["reason"] == "Fetched"
    assert not (pod.folder / "model.pt").exists()
    found = pod.start()
    assert found["error"] == "ValueError"
    assert "names a serializedFile that the archive does not have" in found["message"]


def test_a_hard_link_out_of_the_archive_is_not_brought(written: Written, pod: Pod) -> None:
    word = pod.bring(tarred(link=link("../other/model.pt", tarfile.LNKTYPE)))
    assert word["reason"] == "InvalidArchive"
    assert "model.pt" not in pod.files


def test_an_archive_with_another_digest_leaves_nothing_to_start_from(
    written: Written, pod: Pod
) -> None:
    chosen, changed = archive(written), archive(written, "larger.pt")
    word = pod.bring(changed, hashlib.sha256(chosen).hexdigest())
    assert word["reason"] == "DigestMismatch"
    assert pod.files == {}
    found = pod.start()
    assert found["error"] == "FileNotFoundError"
    assert "trainingJob" in found["message"]
