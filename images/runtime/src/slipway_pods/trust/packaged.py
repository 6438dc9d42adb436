"""The archive as it is stored: signed and encrypted where ``spec.package`` says so.

The archive is signed as servers get it, and then encrypted: so its signature is verified after it
is decrypted, by whoever has it, with or without Slipway.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway_pods.trust import bundle, keyset, provenance, sealing, signing

KEYSET = Path("/slipway/keys/encryption/keyset.json")
"""Where the operator mounts the key of ``package.encrypt.keySecretRef``."""
PRIVATE_KEY = Path("/slipway/keys/signature/private.pem")
"""Where it mounts that of ``package.sign.keySecretRef``."""

BILL, PROVENANCE, LINEAGE = "bom.cdx.json", "provenance.json", "lineage.json"
"""Names of the documents beside an archive: a CycloneDX bill of materials, an in-toto statement
with a SLSA provenance (in a Sigstore bundle where the archive is signed), and the job's record."""


def signature(package: Mapping[str, Any], archive: Path) -> bytes | None:
    """Return the signature that is stored beside an archive; None where there is to be none.

    Raises TrustError for a key that is missing or none.
    """
    if not package.get("sign"):
        return None
    return signing.sign(archive, signing.private_key(PRIVATE_KEY, "package.sign.keySecretRef"))


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


def documents(
    package: Mapping[str, Any], made: provenance.Made, lineage: bytes
) -> dict[str, bytes]:
    """Return the bill of materials and the provenance of an archive, by their names.

    The provenance is about the archive, the bill and the ``lineage``: so all are signed where it
    is. Raises TrustError for a key that is missing or none.
    """
    bill = _text(provenance.bill(made))
    statement = provenance.statement(made, {LINEAGE: lineage, BILL: bill})
    if not package.get("sign"):
        return {BILL: bill, PROVENANCE: _text(statement)}
    key = signing.private_key(PRIVATE_KEY, "package.sign.keySecretRef")
    return {BILL: bill, PROVENANCE: bundle.sign(statement, key)}


def _text(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"
