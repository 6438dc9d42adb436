"""The library that the format comes from verifies what is signed here, and the other way round."""

import subprocess
import venv
from pathlib import Path

import pytest

from slipway_pods.trust import signing
from tests.unit.runtime.trust import signers

REQUIREMENTS = ("model-signing==1.1.1", "pyopenssl==26.4.0")
KEY, OTHER = signers.private(1), signers.private(2)


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
