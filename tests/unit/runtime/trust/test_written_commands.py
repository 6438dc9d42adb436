"""Keys that are made by the commands that docs/trust.md and messages tell, run as they stand."""

import re
import subprocess
from pathlib import Path

import pytest

from slipway_pods.trust import keyset, sealing, signing

TEXT = (Path(__file__).parents[4] / "docs" / "trust.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def made(folder: Path, word: str) -> None:
    """Run the commands of the one block that has a word, but for those to a cluster."""
    (block,) = (each for each in BLOCKS if word in each)
    local = "".join(
        line for line in block.splitlines(keepends=True) if not line.startswith("kubectl ")
    )
    subprocess.run(["bash", "-euo", "pipefail", "-c", local], cwd=folder, check=True)


def test_a_pair_of_keys_signs_and_verifies(tmp_path: Path) -> None:
    made(tmp_path, "openssl ecparam")
    archive = tmp_path / "net.mar"
    archive.write_bytes(b"an archive")
    private = signing.private_key(tmp_path / "private.pem", "package.sign.keySecretRef")
    public = signing.public_keys(tmp_path / "public.pem", "model.verification")
    signing.verify(archive, signing.sign(archive, private), public)


def test_a_keyset_seals_and_opens(tmp_path: Path) -> None:
    made(tmp_path, "openssl rand")
    keys = keyset.read(tmp_path / "keyset.json", "package.encrypt.keySecretRef")
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    plain.write_bytes(b"an archive")
    with plain.open("rb") as source, sealed.open("wb") as target:
        sealing.seal(source, target, keys[0], b"place")
    with sealed.open("r+b") as file:
        sealing.unseal(file, keys, b"place")
    assert sealed.read_bytes() == b"an archive"


@pytest.mark.parametrize("command", re.findall("`(.+?)`", signing.WRITE_PRIVATE))
def test_the_command_in_the_message_makes_a_key_that_is_taken(tmp_path: Path, command: str) -> None:
    path = tmp_path / "private.pem"
    path.write_bytes(subprocess.run(command.split(), capture_output=True, check=True).stdout)
    assert signing.private_key(path, "package.sign.keySecretRef")
