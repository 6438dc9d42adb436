"""What a model has to pass in a pod before a server gets it, and the keys for that."""

from collections.abc import Sequence

from slipway.api import ModelDeployment
from slipway.api.serving.model_status import ModelStatus
from slipway.opened import Opened, key_file

KEYSET = "/slipway/keys/encryption/keyset.json"
"""Where `slipway_pods.serve.fetch` finds the keyset that opens the archive."""
PUBLIC_KEYS = "/slipway/keys/verification/public.pem"
"""Where it finds the keys one of which must have signed it."""


def keys(deployment: ModelDeployment, model: ModelStatus) -> tuple[Opened, ...]:
    """Return what gives the container that brings the model its keys."""
    verification = deployment.spec.model.verification
    encryption = model.encryption.key_secret_ref if model.encryption else None
    public = None
    if verification is not None:
        public = verification.public_key_secret_ref or verification.public_key_config_map_ref
    return (
        *((key_file(encryption, KEYSET),) if encryption else ()),
        *((key_file(public, PUBLIC_KEYS),) if public else ()),
    )


def arguments(deployment: ModelDeployment, model: ModelStatus) -> Sequence[str]:
    """Return what that container is told."""
    encryption, verification = model.encryption, deployment.spec.model.verification
    told: list[str] = []
    if encryption is not None:
        told += ["--keyset", KEYSET, f"--associated-data={encryption.associated_data}"]
    if verification is not None:
        told += ["--public-keys", PUBLIC_KEYS, "--policy", verification.policy]
    return told
