"""Requests to the API server with plain JSON bodies, time-outs and retries."""

import asyncio
import logging
import random
from collections.abc import Mapping
from typing import Any

import aiohttp
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic import DynamicClient

from slipway.kube.connection import Connection
from slipway.kube.errors import NotFound, Unavailable, from_status
from slipway.kube.resources import Resource, resource_of
from slipway.manifests import MANAGER
from slipway.plan import Delete, Manifest, ObjectRef

_LOG = logging.getLogger(__name__)
_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
_RETRY_WAITS = (0.2, 1.0)
"""Waits in seconds before a request is tried again; after that the caller's own back-off rules."""
_LONGEST_WAIT = 5.0
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PAGE = 500


class Client:
    """The API server's verbs that the operator uses; every one of them may be repeated safely."""

    def __init__(self, connection: Connection) -> None:
        self._dynamic: Any = DynamicClient(connection.api)

    async def _once(self, method: str, path: str, **parameters: Any) -> Manifest:
        try:
            response = await self._dynamic.request(
                method, path, serialize=False, _request_timeout=_TIMEOUT, **parameters
            )
            async with response:
                found: Manifest = await response.json(content_type=None)
                return found
        except ApiException as error:
            raise from_status(int(error.status or 0), error.body, error.headers) from error
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            text = str(error) or type(error).__name__
            raise Unavailable(f"The API server did not answer: {text}") from error

    async def request(self, method: str, path: str, **parameters: Any) -> Manifest:
        """Send one request and return the answer's JSON.

        Raises a ``KubeError``. A server that is overloaded or fails is asked again shortly, as it
        asks for by Retry-After, before ``Unavailable`` is raised.
        """
        for wait in _RETRY_WAITS:
            try:
                return await self._once(method, path, **parameters)
            except Unavailable as error:
                pause = max(wait * random.uniform(0.5, 1.5), error.retry_after)  # noqa: S311
                if pause > _LONGEST_WAIT or not error.passes_soon:
                    raise
                _LOG.debug("Asking again in %.1f s: %s %s: %s", pause, method, path, error)
                await asyncio.sleep(pause)
        return await self._once(method, path, **parameters)

    async def get(self, ref: ObjectRef) -> Manifest | None:
        """Return an object as it is now, or None where there is none."""
        try:
            return await self.request("get", resource_of(ref).path(ref.namespace, ref.name))
        except NotFound:
            return None

    async def create(self, resource: Resource, namespace: str, body: Manifest) -> Manifest:
        """Create an object."""
        return await self.request(
            "post", resource.path(namespace), body=body, field_manager=MANAGER
        )

    async def replace(self, resource: Resource, body: Manifest) -> Manifest:
        """Replace an object, if it still has the resourceVersion that ``body`` names."""
        meta = body["metadata"]
        path = resource.path(meta["namespace"], meta["name"])
        return await self.request("put", path, body=body, field_manager=MANAGER)

    async def apply(self, manifest: Manifest, subresource: str = "") -> Manifest:
        """Apply a manifest server-side, as the field manager of all of Slipway's writes."""
        ref = ObjectRef.of(manifest)
        path = resource_of(ref).path(ref.namespace, ref.name, subresource)
        return await self.request(
            "patch",
            path,
            body=manifest,
            content_type="application/apply-patch+yaml",
            field_manager=MANAGER,
            force_conflicts="true",
        )

    async def patch(self, ref: ObjectRef, body: Mapping[str, Any]) -> Manifest:
        """Patch an object by a JSON merge patch (RFC 7396)."""
        return await self.request(
            "patch",
            resource_of(ref).path(ref.namespace, ref.name),
            body=dict(body),
            content_type="application/merge-patch+json",
            field_manager=MANAGER,
        )

    async def delete(self, delete: Delete) -> Manifest:
        """Delete an object, if it still has the uid that is meant.

        The answer is the object where something still holds it, and else a ``Status``.
        """
        policy = "Foreground" if delete.foreground else "Background"
        options: Manifest = {"propagationPolicy": policy, "preconditions": {"uid": delete.uid}}
        if delete.grace_seconds is not None:
            options["gracePeriodSeconds"] = delete.grace_seconds
        ref = delete.ref
        path = resource_of(ref).path(ref.namespace, ref.name)
        return await self.request("delete", path, body=options)

    async def metadata(
        self, resource: Resource, namespace: str, selector: str
    ) -> tuple[list[Manifest], int]:
        """Return the metadata of the objects that a selector finds, and the list's version."""
        items: list[Manifest] = []
        token: str | None = None
        while True:
            page = await self.request(
                "get",
                resource.path(namespace),
                header_params={"Accept": _METADATA},
                label_selector=selector or None,
                limit=_PAGE,
                _continue=token,
            )
            items += page.get("items") or []
            token = page["metadata"].get("continue")
            if not token:
                return items, int(page["metadata"].get("resourceVersion") or 0)
