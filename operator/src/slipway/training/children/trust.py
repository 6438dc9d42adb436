"""What makes an archive believed: the packaging pod's keys, and what it is told to do with them."""

from slipway.api import TrainingJob
from slipway.api.training.package import Package
from slipway.api.trust.encryption import Encryption
from slipway.opened import Opened, key_file

KEYSET = "/slipway/keys/encryption/keyset.json"
"""Where `slipway_pods.package.sealed` finds the keyset."""


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


def keys(package: Package | None) -> Opened:
    """Return what gives the packager its keys."""
    if package is None or package.encrypt is None:
        return Opened()
    return key_file(package.encrypt.key_secret_ref, KEYSET)


def variables(job: TrainingJob, package: Package, number: int) -> dict[str, str]:
    """Return what the packager is told."""
    encrypted = encryption(job, package, number)
    return {"SLIPWAY_ASSOCIATED_DATA": encrypted.associated_data} if encrypted else {}
