"""The credentials of the release's own store: random, made once, kept in one Secret.

The operator's init container fills it.
"""

import secrets
from collections.abc import Mapping

from slipway.kube.client import Client
from slipway.kube.connection import connect
from slipway.kube.own_secret import filled

ACCESS_KEY = "AWS_ACCESS_KEY_ID"
SECRET_KEY = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - a name, not a secret


def credentials() -> dict[str, str]:
    """Return new random credentials, as long as AWS' own: 20 and 40 characters."""
    return {ACCESS_KEY: secrets.token_hex(10).upper(), SECRET_KEY: secrets.token_urlsafe(30)}


async def fill(client: Client, namespace: str, name: str) -> bool:
    """Put credentials into a Secret that has none; return whether it had none.

    A key that is there already stays as it is. Raises what ``filled`` does.
    """

    def completed(held: Mapping[str, str]) -> Mapping[str, str]:
        return {**credentials(), **{key: text for key, text in held.items() if text}}

    _, written = await filled(client, namespace, name, completed)
    return written


async def run(namespace: str, name: str) -> bool:
    """Fill the Secret with the cluster access that the process has; see ``fill``."""
    connection = await connect(None, connections=1, observer=lambda *_: None)
    try:
        return await fill(Client(connection), namespace, name)
    finally:
        await connection.close()
