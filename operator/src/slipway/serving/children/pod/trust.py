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
    verification = deployment.spec.model.verification
    encryption = model.encryption.key_secret_ref if model.encryption else None
    public = None
    if verification is not None and not settings.public_keys:
        public = verification.public_key_secret_ref or verification.public_key_config_map_ref
    return (
        *((key_file(encryption, KEYSET),) if encryption else ()),
        *((key_file(public, PUBLIC_KEYS),) if public else ()),
    )


def arguments(deployment: ModelDeployment, model: ModelStatus, settings: Settings) -> Sequence[str]:
    """Return what that container is told."""
    encryption, verification = model.encryption, deployment.spec.model.verification
    options: list[str] = []
    if encryption is not None:
        options += ["--keyset", KEYSET, f"--associated-data={encryption.associated_data}"]
    required = settings.verification == "Required"
    if settings.public_keys and (required or verification is not None):
        options += [f"--public-keys-pem={settings.public_keys}"]
    elif verification is not None:
        options += ["--public-keys", PUBLIC_KEYS]
    if verification is not None:
        options += ["--policy", verification.policy]
    return options
