"""Requests to the API server with plain JSON bodies, time-outs and retries."""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from slipway.kube.answers.bounds import parsed
from slipway.kube.answers.response import as_object, check_page, paged, read_whole
from slipway.kube.connection import Connection
from slipway.kube.errors import AlreadyExists, Conflict, NotFound, Unavailable, from_status
from slipway.kube.resources import Resource, resource_of
from slipway.kube.watched.identity import uid_of, version_of
from slipway.manifests import MANAGER
from slipway.plan import Delete, Manifest, ObjectRef

_LOG = logging.getLogger(__name__)
_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
_WRITE_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=5)
"""A write waits for admission webhooks, each of which may take 30 s: as long as the API server's
own time-out. Ended sooner it would never be done, as often as it is tried.
Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/"""
_RETRY_WAITS = (0.2, 1.0)
"""Waits in seconds before a request is tried again; after that the caller's own back-off rules."""
_LONGEST_WAIT = 5.0
_JSON = "application/json"
_MANAGER = {"fieldManager": MANAGER}
_STRICTLY = {**_MANAGER, "fieldValidation": "Strict"}
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PAGE = 500


def _is_write(method: str, path: str) -> bool:
    """Tell whether a request changes something: a review that is posted only asks."""
    return method.lower() != "get" and not path.endswith("reviews")


class Client:
    """The API server's verbs that the operator uses; every one of them may be repeated safely."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def _once(self, method: str, path: str, body: Any, **options: Any) -> Manifest:
        """Send one request; the options are aiohttp's.

        The library's own client would parse, copy and check each body once more on the way.
        """
        if body is not None:
            options["data"] = json.dumps(body).encode()
        connection = self._connection
        limit = _WRITE_TIMEOUT if _is_write(method, path) else _TIMEOUT
        try:
            async with connection.own.request(
                method.upper(), f"{connection.server}{path}", timeout=limit, **options
            ) as response:
                answer = await read_whole(response)
                if response.status >= 300:
                    raise from_status(response.status, answer, response.headers)
                check_page(answer, int((options.get("params") or {}).get("limit", 1)))
                return as_object(await parsed(answer))
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            text = str(error) or type(error).__name__
            raise Unavailable(f"The API server did not answer: {text}") from error

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Manifest:
        """Send one request and return the answer's JSON.

        Raises a ``KubeError``, or TooLongError for more than is taken in at once. A server that is
        overloaded or fails is asked again shortly, as it asks for by Retry-After, before
        ``Unavailable`` is raised.
        """
        said = {"Accept": _JSON, "Content-Type": _JSON, **(headers or {})}
        for wait in _RETRY_WAITS:
            try:
                return await self._once(method, path, body, params=params, headers=said)
            except Unavailable as error:
                pause = max(wait * random.uniform(0.5, 1.5), error.retry_after)  # noqa: S311
                # A write that had its whole time is left to the caller's back-off.
                spent = type(error.__cause__) is TimeoutError and _is_write(method, path)
                if pause > _LONGEST_WAIT or spent or not error.passes_soon:
                    raise
                _LOG.debug("Asking again in %.1f s: %s %s: %s", pause, method, path, error)
                await asyncio.sleep(pause)
        return await self._once(method, path, body, params=params, headers=said)

    async def get(self, ref: ObjectRef) -> Manifest | None:
        """Return an object as it is now, or None where there is none."""
        try:
            return await self.request("get", resource_of(ref).path(ref.namespace, ref.name))
        except NotFound:
            return None

    async def create(self, resource: Resource, namespace: str, body: Manifest) -> Manifest:
        """Create an object."""
        return await self.request("post", resource.path(namespace), body, params=_MANAGER)

    async def replace(self, resource: Resource, body: Manifest) -> Manifest:
        """Replace an object, if it still has the resourceVersion that ``body`` names."""
        meta = body["metadata"]
        path = resource.path(meta["namespace"], meta["name"])
        return await self.request("put", path, body, params=_MANAGER)

    async def apply(self, manifest: Manifest) -> Manifest:
        """Apply a manifest server-side, as the field manager of all of Slipway's writes."""
        ref = ObjectRef.of(manifest)
        path = resource_of(ref).path(ref.namespace, ref.name)
        return await self.request(
            "patch",
            path,
            manifest,
            params={**_MANAGER, "force": "true"},
            headers={"Content-Type": "application/apply-patch+yaml"},
        )

    async def create_new(self, manifest: Manifest) -> Manifest:
        """Create an object that must not exist yet; a field that its kind lacks is refused.

        To the API server that is half the work of an apply: it need not tell which fields are
        whose before there is anybody else. `slipway.kube.writes.ownership` has them count as
        applied. Raises ``AlreadyExists``, and leaves the object alone, where there is one of its
        name, whosever it is.
        """
        ref = ObjectRef.of(manifest)
        path = resource_of(ref).path(ref.namespace)
        try:
            return await self.request("post", path, manifest, params=_STRICTLY)
        except Conflict as error:
            raise AlreadyExists(error.message, error.status) from error

    async def patch(self, ref: ObjectRef, body: Mapping[str, Any]) -> Manifest:
        """Patch an object by a JSON merge patch (RFC 7396)."""
        return await self.request(
            "patch",
            resource_of(ref).path(ref.namespace, ref.name),
            dict(body),
            params=_MANAGER,
            headers={"Content-Type": "application/merge-patch+json"},
        )

    async def write_status(self, obj: Manifest, status: Mapping[str, Any]) -> Manifest:
        """Put a whole status in place of what is there, if the object is still at its version.

        It is a JSON patch (RFC 6902), since a status has one writer: an apply would have the API
        server sort out whose each of its fields is, at each write. The resourceVersion in it is
        what the API server compares. Raises ``Conflict`` for another version, or another object.
        """
        ref, meta = ObjectRef.of(obj), obj["metadata"]
        steps = [
            {"op": "add", "path": "/metadata/resourceVersion", "value": meta["resourceVersion"]},
            {"op": "add", "path": "/status", "value": status},
        ]
        return await self.request(
            "patch",
            resource_of(ref).path(ref.namespace, ref.name, "status"),
            steps,
            params=_MANAGER,
            headers={"Content-Type": "application/json-patch+json"},
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
        return await self.request("delete", path, options)

    async def uids(
        self, resource: Resource, namespace: str, query: Mapping[str, str]
    ) -> tuple[dict[str, int], int]:
        """Return UID and version of the objects that selectors find, and the list's version.

        Of each object only its metadata is asked for, and of that no more than a page is held.
        """
        found: dict[str, int] = {}
        version = 0
        async for page in self.pages(resource, namespace, query, _METADATA):
            found |= {uid_of(item): version_of(item) for item in page.get("items") or ()}
            version = int(page["metadata"].get("resourceVersion") or 0)
        return found, version

    async def pages(
        self,
        resource: Resource,
        namespace: str,
        query: Mapping[str, str] | None = None,
        accept: str = _JSON,
    ) -> AsyncIterator[Manifest]:
        """Yield a collection page by page; fewer objects are asked for where they are large."""

        async def ask(more: dict[str, str]) -> Manifest:
            params = {**(query or {}), **more}
            return await self.request(
                "get", resource.path(namespace), params=params, headers={"Accept": accept}
            )

        async for page in paged(ask, _PAGE):
            yield page
