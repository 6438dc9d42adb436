"""What makes an archive believed: the packaging pod's keys, and what it is told to do with them."""

from collections.abc import Mapping
from typing import Any

from slipway.api import TrainingJob
from slipway.api.training.package import Package
from slipway.api.trust.encryption import Encryption
from slipway.opened import KEYSET, Opened, key_file

PRIVATE_KEY = "/slipway/keys/signature/private.pem"
"""Where `slipway_pods.trust.packaged` finds the key that signs."""
SUFFIX = ".sig"
"""What the name of an archive's signature has behind the archive's own."""


def encryption(job: TrainingJob, package: Package, number: int) -> Encryption | None:
    """Return how the archive of a job's packaging is encrypted; None where it is not.

    It is bound to its place in the store, so that no archive passes for another one.
    """
    if package.encrypt is None:
        return None
    meta = job.metadata
    archive = f"{job.model_name}-{job.package_version(number)}.mar"
    place = (meta.namespace, meta.name, meta.uid, str(number), archive)
    return Encryption(
        key_secret_ref=package.encrypt.key_secret_ref, associated_data="/".join(place)
    )


def signature_uri(uri: str, package: Package | None) -> str | None:
    """Return where the signature of an archive at a URI goes; None where there is to be none."""
    return f"{uri}{SUFFIX}" if package and package.sign else None


def documents(lineage: str, word: Mapping[str, Any]) -> dict[str, str]:
    """Return where the documents beside a lineage record lie, which packagers of 0.2.0 made not."""
    if word.get("hasProvenance") is not True:
        return {}
    folder = lineage.rpartition("/")[0]
    return {"provenanceUri": f"{folder}/provenance.json", "bomUri": f"{folder}/bom.cdx.json"}


def keys(package: Package | None) -> tuple[Opened, ...]:
    """Return what gives the packager its keys."""
    encrypt, sign = (package.encrypt, package.sign) if package else (None, None)
    return (
        *((key_file(encrypt.key_secret_ref, KEYSET),) if encrypt else ()),
        *((key_file(sign.key_secret_ref, PRIVATE_KEY),) if sign else ()),
    )


def variables(job: TrainingJob, package: Package, number: int) -> dict[str, str]:
    """Return what the packager is told."""
    encrypted = encryption(job, package, number)
    return {"SLIPWAY_ASSOCIATED_DATA": encrypted.associated_data} if encrypted else {}
