"""The archive as it is stored: encrypted where ``package.encrypt`` says so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway_pods.trust import keyset, sealing

KEYSET = Path("/slipway/keys/encryption/keyset.json")
"""Where the operator mounts the key of ``package.encrypt.keySecretRef``."""


def sealed(package: Mapping[str, Any], archive: Path, associated_data: str) -> Path:
    """Return the path of what is stored; the plain archive is gone if that is another file.

    Raises TrustError for a keyset that is missing or none, OSError where the disk is full.
    """
    if not package.get("encrypt"):
        return archive
    primary, *_ = keyset.read(KEYSET, "package.encrypt.keySecretRef")
    target = archive.with_name(f"{archive.name}.sealed")
    with archive.open("rb") as plain, target.open("wb") as file:
        sealing.seal(plain, file, primary, associated_data.encode())
    archive.unlink()
    return target
