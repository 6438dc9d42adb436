"""Archives of other jobs as inputs: unpacked once they are what was chosen, and never before."""

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from s3fs import S3FileSystem

from slipway_pods.bring import bring_input, bringing
from slipway_pods.trust import sealing
from tests.harness.s3 import S3Server
from tests.unit.runtime.trust import keysets

URI = "s3://slipway/models/ns/big/uid/big-1.0.mar"
BOUND_TO = "ns/big/uid/1/big-1.0.mar"
FILES = {
    "MAR-INF/MANIFEST.json": '{"model": {"serializedFile": "model.pt"}}',
    "model.pt": "weights" * 1000,
    "net.py": "class Net: pass",
}


def archive(**more: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, text in {**FILES, **more}.items():
            opened.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


class Pod:
    """One pod's folder, and what its init container said."""

    def __init__(self, folder: Path, store: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.word_file = folder / "teacher", folder / "termination-log"
        self.folder.mkdir()
        self.keyset = folder / "keyset.json"
        self._stored = store.bucket / URI.removeprefix("s3://slipway/")
        self._stored.parent.mkdir(parents=True)
        monkeypatch.setenv("SLIPWAY_TERMINATION_LOG", str(self.word_file))
        monkeypatch.setattr(bringing, "stop_on_signal", lambda: None)
        self._patch = monkeypatch

    def bring(self, stored: bytes | None, sha256: str | None = None, **opening: str) -> int:
        S3FileSystem.clear_instance_cache()
        if stored is not None:
            self._stored.write_bytes(stored)
        digest = sha256 or hashlib.sha256(stored or b"").hexdigest()
        wanted = {"name": "teacher", "uri": URI, "sha256": digest, "archive": opening}
        self._patch.setenv("SLIPWAY_INPUT", json.dumps(wanted))
        self._patch.setenv("SLIPWAY_INPUT_DIR", str(self.folder))
        return bring_input.main()

    def bring_sealed(self, stored: bytes, **opening: str) -> int:
        known = {"keyset": str(self.keyset), "associatedData": BOUND_TO}
        return self.bring(stored, **{**known, **opening})

    @property
    def word(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.word_file.read_text())
        return found

    def files(self) -> set[str]:
        found = (Path(root, name) for root, _, names in os.walk(self.folder) for name in names)
        return {path.relative_to(self.folder).as_posix() for path in found}


@pytest.fixture
def pod(tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Pod:
    return Pod(tmp_path, s3, monkeypatch)


def sealed(plain: bytes, data: str = BOUND_TO) -> bytes:
    target = io.BytesIO()
    sealing.seal(io.BytesIO(plain), target, keysets.KEY, data.encode())
    return target.getvalue()


def test_the_files_of_an_archive_are_in_the_inputs_folder_and_its_digest_is_told(pod: Pod) -> None:
    stored = archive()
    assert pod.bring(stored) == 0
    assert pod.files() == set(FILES)
    assert (pod.folder / "model.pt").read_text() == FILES["model.pt"]
    assert pod.word["sha256"] == hashlib.sha256(stored).hexdigest()


def test_an_archive_that_was_changed_since_it_was_chosen_leaves_nothing_there(pod: Pod) -> None:
    assert pod.bring(archive(extra="x"), hashlib.sha256(archive()).hexdigest()) == 1
    assert (pod.word["reason"], pod.files()) == ("DigestMismatch", set())


def test_an_archive_that_leads_out_of_the_folder_is_refused(pod: Pod) -> None:
    assert pod.bring(archive(**{"../../evil": "x"})) == 1
    assert pod.word["reason"] == "InvalidArchive"
    assert not (pod.folder.parent.parent / "evil").exists()


def test_what_is_no_archive_is_refused(pod: Pod) -> None:
    assert pod.bring(b"no archive" * 100) == 1
    assert (pod.word["reason"], pod.files()) == ("InvalidArchive", set())


def test_an_encrypted_archive_is_unpacked_by_its_key(pod: Pod) -> None:
    pod.keyset.write_text(keysets.KEYSET)
    assert pod.bring_sealed(sealed(archive())) == 0
    assert pod.files() == set(FILES)


@pytest.mark.parametrize(
    ("reason", "keyset", "stored", "bound_to"),
    [
        ("KeyNotFound", None, sealed(archive()), BOUND_TO),
        ("InvalidKey", "{}", sealed(archive()), BOUND_TO),
        ("WrongKey", keysets.keyset(keysets.key(bytes(32), 7)), sealed(archive()), BOUND_TO),
        ("WrongKey", keysets.KEYSET, sealed(archive()), "ns/another"),
    ],
    ids=("none", "no keyset", "another", "of another archive"),
)
def test_an_archive_that_no_key_opens_is_refused_by_name(
    pod: Pod, reason: str, keyset: str | None, stored: bytes, bound_to: str
) -> None:
    if keyset is not None:
        pod.keyset.write_text(keyset)
    assert pod.bring_sealed(stored, associatedData=bound_to) == 1
    assert (pod.word["reason"], pod.files()) == (reason, set())
    assert URI in pod.word["message"]


def test_an_archive_that_is_not_there_any_more_is_told(pod: Pod) -> None:
    assert pod.bring(None) == 1
    assert pod.word["reason"] == "InputNotFound"
