"""What a model has to pass in a pod before a server gets it, and the keys for that."""

from collections.abc import Sequence

from slipway.api.serving.model_status import ModelStatus
from slipway.opened import Opened, key_file

KEYSET = "/slipway/keys/encryption/keyset.json"
"""Where `slipway_pods.serve.fetch` finds the keyset that opens the archive."""


def keys(model: ModelStatus) -> Opened:
    """Return what gives the container that brings the model its keys."""
    if model.encryption is None:
        return Opened()
    return key_file(model.encryption.key_secret_ref, KEYSET)


def arguments(model: ModelStatus) -> Sequence[str]:
    """Return what that container is told."""
    if model.encryption is None:
        return ()
    return ("--keyset", KEYSET, f"--associated-data={model.encryption.associated_data}")
