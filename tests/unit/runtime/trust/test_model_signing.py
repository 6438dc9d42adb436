"""The library that the format comes from verifies what is signed here, and the other way round."""

import hashlib
import os
import re
import subprocess
import venv
from pathlib import Path

import pytest

from slipway_pods.bring import download
from slipway_pods.serve import fetch
from slipway_pods.store import store
from slipway_pods.trust import signing
from slipway_pods.trust.believed import Believed
from tests.unit.runtime.trust import signers

REQUIREMENTS = ("model-signing==1.1.1", "pyopenssl==26.4.0")
KEY, OTHER = signers.private(1), signers.private(2)
PLACE = "s3://slipway/models/team-a"
TEXT = (Path(__file__).parents[4] / "docs" / "trust.md").read_text("utf-8")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library's program, installed apart from all else since it brings 35 packages."""
    folder = tmp_path_factory.mktemp("model-signing")
    venv.create(folder, with_pip=True, symlinks=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *REQUIREMENTS]
    subprocess.run(pip, check=True)
    return folder / "bin" / "model_signing"


def run(library: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([library, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.long
def test_the_library_and_this_one_verify_each_others_signatures(
    library: Path, tmp_path: Path
) -> None:
    archive, private = tmp_path / "net-1.0.mar", tmp_path / "private.pem"
    archive.write_bytes(b"an archive" * 100_000)
    private.write_bytes(signers.private_pem(KEY))
    public, made = signers.public_file(tmp_path, KEY), tmp_path / "ours.sig"
    made.write_bytes(signing.sign(archive, KEY))
    verify = ("verify", "key", archive, "--public_key", public, "--signature")
    assert run(library, *verify, made).returncode == 0, run(library, *verify, made).stderr
    theirs = tmp_path / "theirs.sig"
    sign = ("sign", "key", archive, "--private_key", private, "--signature", theirs)
    assert run(library, *sign).returncode == 0, run(library, *sign).stderr
    signing.verify(archive, theirs.read_bytes(), signing.public_keys(public, "verification"))
    made.write_bytes(signing.sign(archive, OTHER))
    assert run(library, *verify, made).returncode != 0
    made.write_bytes(signing.sign(archive, KEY))
    archive.write_bytes(b"another")
    assert run(library, *verify, made).returncode != 0


def written(library: Path, folder: Path, begin: str) -> None:
    """Run the one command of docs/trust.md that begins so, as it stands, in a folder."""
    (command,) = re.findall(f"^{re.escape(begin)}.*$", TEXT, re.MULTILINE)
    env = {**os.environ, "PATH": f"{library.parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", command], cwd=folder, env=env, check=True)


def refused(uri: str, sha256: str, folder: Path, keys: Path) -> str:
    """Return the reason why a model that was brought is not served; nothing of it is left."""
    with pytest.raises(fetch.FetchError) as caught:
        fetch.fetch_into(uri, sha256, folder, Believed(public_keys=keys))
    assert list(folder.iterdir()) == []
    return caught.value.reason


@pytest.mark.long
@pytest.mark.usefixtures("s3")
def test_an_archive_that_the_library_signed_elsewhere_is_served_and_no_other_in_its_place(
    library: Path, tmp_path: Path
) -> None:
    (tmp_path / "net.mar").write_bytes(b"brought" * 10_000)
    (tmp_path / "private.pem").write_bytes(signers.private_pem(KEY))
    written(library, tmp_path, "model_signing sign key net.mar ")
    uri, dest = f"{PLACE}/net.mar", tmp_path / "models" / "net.mar"
    for name in ("net.mar", "net.mar.sig"):
        store.put_bytes((tmp_path / name).read_bytes(), f"{PLACE}/{name}")
    sha256 = hashlib.sha256((tmp_path / "net.mar").read_bytes()).hexdigest()
    fetch.fetch(uri, sha256, dest, Believed(public_keys=signers.public_file(tmp_path, OTHER, KEY)))
    assert dest.read_bytes() == (tmp_path / "net.mar").read_bytes()
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    keys, of_others = tmp_path / "public.pem", signers.public_file(stranger, OTHER)
    assert refused(uri, sha256, tmp_path / "folder", of_others) == "UnknownSigner"
    store.put_bytes(b"another", uri)
    other = hashlib.sha256(b"another").hexdigest()
    assert refused(uri, other, tmp_path / "folder", keys) == "SignatureInvalid"
    store.delete(f"{uri}.sig")
    assert refused(uri, other, tmp_path / "folder", keys) == "SignatureMissing"


@pytest.mark.long
@pytest.mark.usefixtures("s3")
def test_a_folder_that_the_library_signed_is_served_and_no_changed_one(
    library: Path, tmp_path: Path
) -> None:
    files = {"config.json": b"{}", "parts/weights.bin": b"weights" * 1000, "a b.txt": b""}
    for name, content in files.items():
        path = tmp_path / "net" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        store.put_bytes(content, f"{PLACE}/net/{name}")
    (tmp_path / "private.pem").write_bytes(signers.private_pem(KEY))
    written(library, tmp_path, "model_signing sign key net ")
    store.put_bytes((tmp_path / "net.sig").read_bytes(), f"{PLACE}/net.sig")
    uri, folder, keys = f"{PLACE}/net/", tmp_path / "model", signers.public_file(tmp_path, KEY)
    sha256 = download.tree_digest(tmp_path / "net")
    fetch.fetch_into(uri, sha256, folder, Believed(public_keys=keys))
    assert download.tree_digest(folder) == sha256
    (tmp_path / "net" / "config.json").write_bytes(b"[]")
    store.put_bytes(b"[]", f"{PLACE}/net/config.json")
    assert refused(uri, download.tree_digest(tmp_path / "net"), folder, keys) == "SignatureInvalid"
