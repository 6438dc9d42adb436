"""Secrets of the release that the install manifests bring without data, and the operator fills.

So nothing secret lies in a chart, a release or a repository, and installing again changes none.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping

from slipway.kube.client import Client
from slipway.kube.errors import Conflict, NotFound
from slipway.kube.resources import SECRETS
from slipway.kube.watched.shared import secret_data
from slipway.plan import ObjectRef

Fill = Callable[[Mapping[str, str]], Mapping[str, str]]
"""From what a Secret holds to what it is to hold."""


async def filled(
    client: Client, namespace: str, name: str, fill: Fill
) -> tuple[Mapping[str, str], bool]:
    """Have a Secret hold what ``fill`` says; return that, and whether it was written.

    Keys that ``fill`` does not return stay. Safe to run many times and in several places at once:
    the write names the version that was read, and whoever loses reads again.

    Raises ``NotFound`` where the Secret is missing, and other ``KubeError`` where it may not be
    read or written.
    """
    ref = ObjectRef(SECRETS.api_version, SECRETS.kind, namespace, name)
    while True:
        try:
            return await _filled(client, ref, fill)
        except Conflict:
            continue


async def _filled(client: Client, ref: ObjectRef, fill: Fill) -> tuple[Mapping[str, str], bool]:
    secret = await client.get(ref)
    if secret is None:
        raise NotFound(
            f"Secret {ref.name} is missing in namespace {ref.namespace}: "
            "install the chart or the manifest again, which brings it."
        )
    held = secret_data(secret) or {}
    data = fill(held)
    changed = {key: text for key, text in data.items() if held.get(key) != text}
    if changed:
        encoded = {key: b64encode(text.encode()).decode() for key, text in changed.items()}
        kept = secret.get("data") or {}
        await client.replace(SECRETS, {**secret, "data": {**kept, **encoded}})
    return data, bool(changed)
