"""What a model has to pass in a pod before a server gets it, and the keys for that."""

from collections.abc import Sequence

from slipway.api import ModelDeployment
from slipway.api.serving.model_status import ModelStatus
from slipway.opened import KEYSET, Opened, key_file
from slipway.settings import Settings

PUBLIC_KEYS = "/slipway/keys/verification/public.pem"
"""Where `slipway_pods.serve.fetch` finds the keys one of which must have signed an archive, unless
the release has its own."""


def keys(deployment: ModelDeployment, model: ModelStatus, settings: Settings) -> tuple[Opened, ...]:
    """Return what gives the container that brings the model its keys."""
    wanted = deployment.spec.model.verification
    encryption = model.encryption.key_secret_ref if model.encryption else None
    public = None
    if wanted is not None and not settings.public_keys:
        public = wanted.public_key_secret_ref or wanted.public_key_config_map_ref
    return (
        *((key_file(encryption, KEYSET),) if encryption else ()),
        *((key_file(public, PUBLIC_KEYS),) if public else ()),
    )


def arguments(deployment: ModelDeployment, model: ModelStatus, settings: Settings) -> Sequence[str]:
    """Return what that container is told."""
    encryption, wanted = model.encryption, deployment.spec.model.verification
    told: list[str] = []
    if encryption is not None:
        told += ["--keyset", KEYSET, f"--associated-data={encryption.associated_data}"]
    required = settings.verification == "Required"
    if settings.public_keys and (required or wanted is not None):
        told += [f"--public-keys-pem={settings.public_keys}"]
    elif wanted is not None:
        told += ["--public-keys", PUBLIC_KEYS]
    if wanted is not None:
        told += ["--policy", wanted.policy]
    return told
