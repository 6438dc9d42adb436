"""The credentials of the release's own store: random, made once, kept in one Secret.

The install manifests bring the Secret without data and the operator's init container fills it, so
that no credentials lie in a chart, a release or a repository, and installing again changes none.
"""

import secrets
from base64 import b64encode

from slipway.kube.client import Client
from slipway.kube.connection import connect
from slipway.kube.errors import Conflict, NotFound
from slipway.kube.resources import SECRETS
from slipway.plan import ObjectRef

ACCESS_KEY = "AWS_ACCESS_KEY_ID"
SECRET_KEY = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - a name, not a secret


def credentials() -> dict[str, str]:
    """Return new random credentials, as long as AWS' own: 20 and 40 characters."""
    return {ACCESS_KEY: secrets.token_hex(10).upper(), SECRET_KEY: secrets.token_urlsafe(30)}


async def fill(client: Client, namespace: str, name: str) -> bool:
    """Put credentials into a Secret that has none; return whether it had none.

    A key that is there already stays as it is. Safe to run many times and in several places at
    once: the write names the version that was read, and whoever loses reads again.

    Raises ``NotFound`` where the Secret is missing, and other ``KubeError`` where it may not be
    read or written.
    """
    while True:
        try:
            return await _fill(client, namespace, name)
        except Conflict:
            continue


async def _fill(client: Client, namespace: str, name: str) -> bool:
    secret = await client.get(ObjectRef(SECRETS.api_version, SECRETS.kind, namespace, name))
    if secret is None:
        raise NotFound(
            f"Secret {name} is missing in namespace {namespace}: "
            "install the chart or the manifest again, which brings it."
        )
    found = secret.get("data") or {}
    made = {key: b64encode(text.encode()).decode() for key, text in credentials().items()}
    missing = {key: text for key, text in made.items() if not found.get(key)}
    if missing:
        await client.replace(SECRETS, {**secret, "data": {**found, **missing}})
    return bool(missing)


async def run(namespace: str, name: str) -> bool:
    """Fill the Secret with the cluster access that the process has; see ``fill``."""
    connection = await connect(None, connections=1, observer=lambda *_: None)
    try:
        return await fill(Client(connection), namespace, name)
    finally:
        await connection.close()
