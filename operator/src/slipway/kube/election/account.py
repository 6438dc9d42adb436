"""Who this replica is: its name, its account, and whether that could take the Lease over."""

import asyncio
import logging
import socket
import uuid
from collections.abc import Callable

from slipway.kube.client import Client
from slipway.kube.errors import KubeError
from slipway.kube.resources import LEASES
from slipway.plan import Manifest

_LOG = logging.getLogger(__name__)
_PERIOD_SECONDS = 15.0
"""How often a replica that stands by asks what it may do."""


def holder_identity(in_cluster: bool) -> str:
    """Return this replica's name in the Lease.

    In a pod it is the pod's name, so that a container that died finds its own Lease again and need
    not wait for its end. Elsewhere several operators may share a host.
    """
    host = socket.gethostname()
    return host if in_cluster else f"{host}_{uuid.uuid4().hex[:8]}"


async def own_account(client: Client, namespace: str) -> list[Manifest]:
    """Return a reference to the client's own service account, if it is one of ``namespace``.

    Asking who one is needs no right.
    Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#self-subject-review
    """
    head = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    review = await client.request("post", path, body=head)
    user = review["status"]["userInfo"]
    prefix = f"system:serviceaccount:{namespace}:"
    name = user.get("username", "").removeprefix(prefix)
    if not user.get("username", "").startswith(prefix) or not user.get("uid"):
        return []
    return [{"apiVersion": "v1", "kind": "ServiceAccount", "name": name, "uid": user["uid"]}]


async def may_update(client: Client, namespace: str, name: str) -> bool:
    """Tell whether the client's account may update a Lease, by the API server's word.

    Asking what one may do needs no right.
    Source: https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
    """
    version, plural = "authorization.k8s.io/v1", "selfsubjectaccessreviews"
    group, _, _ = LEASES.api_version.rpartition("/")
    asked = {"group": group, "resource": LEASES.plural, "verb": "update", "name": name}
    spec = {"resourceAttributes": {**asked, "namespace": namespace}}
    body = {"apiVersion": version, "kind": "SelfSubjectAccessReview", "spec": spec}
    answer = await client.request("post", f"/apis/{version}/{plural}", body=body)
    return bool((answer.get("status") or {}).get("allowed"))


class Rights:
    """Whether this replica could take the Lease over, asked while it does not hold it.

    Who has never tried to write would be ready otherwise, and stand by in vain.
    """

    def __init__(
        self, client: Client, namespace: str, name: str, is_held: Callable[[], bool]
    ) -> None:
        self._client = client
        self._namespace, self._name = namespace, name
        self._is_held = is_held
        self._refusals = 0

    @property
    def trouble(self) -> str:
        """Why this replica stands by in vain, as a sentence; empty where it does not.

        It is told once two answers in a row say so: an API server that starts refuses what it
        allows some moments later.
        """
        if self._refusals < 2:
            return ""
        return f"This replica could not take over: it may not update the Lease {self._name}."

    async def run(self) -> None:
        """Ask again and again until cancelled."""
        while True:
            if not self._is_held():
                await self.look()
            await asyncio.sleep(_PERIOD_SECONDS)

    async def look(self) -> None:
        """Ask once; no answer says nothing."""
        try:
            allowed = await may_update(self._client, self._namespace, self._name)
        except KubeError as error:
            _LOG.debug("What this replica may do with the Lease is not known: %s", error)
            return
        self._refusals = 0 if allowed else self._refusals + 1
        if self.trouble:
            _LOG.warning("%s", self.trouble)
