"""The credentials of the release's own store: random, made once, kept in one Secret.

The install manifests bring the Secret without data and the operator's init container fills it, so
that no credentials lie in a chart, a release or a repository, and installing again changes none.
"""

import secrets
from base64 import b64encode

from kubernetes.aio import client, config

ACCESS_KEY = "AWS_ACCESS_KEY_ID"
SECRET_KEY = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - a name, not a secret


class BootstrapError(Exception):
    """The store's Secret cannot be filled; the message says what to do."""


def credentials() -> dict[str, str]:
    """Return new random credentials, as long as AWS' own: 20 and 40 characters."""
    return {ACCESS_KEY: secrets.token_hex(10).upper(), SECRET_KEY: secrets.token_urlsafe(30)}


async def fill_store_secret(core: client.CoreV1Api, namespace: str, name: str) -> bool:
    """Put credentials into a Secret that has none; return whether it had none.

    A key that is there already stays as it is. Safe to run many times and in several places at
    once: the write names the version that was read, and whoever loses reads again.

    Raises ``BootstrapError`` where the Secret is missing or may not be read or written.
    """
    while True:
        try:
            return await _fill(core, namespace, name)
        except client.ApiException as error:
            if error.status != 409:
                raise BootstrapError(_advice(error, namespace, name)) from error


async def _fill(core: client.CoreV1Api, namespace: str, name: str) -> bool:
    secret = await core.read_namespaced_secret(name, namespace)
    found = secret.data or {}
    made = {key: b64encode(text.encode()).decode() for key, text in credentials().items()}
    missing = {key: text for key, text in made.items() if not found.get(key)}
    if missing:
        secret.data = {**found, **missing}
        await core.replace_namespaced_secret(name, namespace, secret)
    return bool(missing)


def _advice(error: client.ApiException, namespace: str, name: str) -> str:
    where = f"Secret {name} in namespace {namespace}"
    if error.status == 404:
        return f"{where} is missing: install the chart or the manifest again, which brings it."
    if error.status == 403:
        return f"The operator may not read and update {where}: apply the install's Roles again."
    return f"The API server did not let {where} be filled ({error.status} {error.reason})."


async def run(namespace: str, name: str) -> bool:
    """Fill the Secret from inside the cluster; see `fill_store_secret`."""
    config.load_incluster_config()
    async with client.ApiClient() as api:
        return await fill_store_secret(client.CoreV1Api(api), namespace, name)
