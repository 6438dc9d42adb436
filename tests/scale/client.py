"""A load generator: creates many objects at a time, and watches them as kubectl does."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
from yarl import URL

from slipway.kube.connection import connect
from slipway.kube.resources import Resource, resource_of
from slipway.plan import Manifest, ObjectRef

_TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
_SPARE = 4
_CONTINUE = re.compile(rb'"continue":"([^"]+)"')
_HEAD_BYTES = 1024
"""Where the metadata of a list is: before its items."""
Row = dict[str, Any]


class LoadClient:
    """Requests of an administrator, of which ``concurrency`` are under way at a time."""

    def __init__(self, session: aiohttp.ClientSession, server: str, concurrency: int) -> None:
        self._session = session
        self._server = server
        self._concurrency = concurrency

    @classmethod
    async def connect(cls, kubeconfig: Path, concurrency: int) -> "LoadClient":
        """Return a client by a kubeconfig; close it by ``async with``."""
        connection = await connect(kubeconfig, 1, lambda *_: None)
        session = connection.session(concurrency + _SPARE, lambda *_: None)
        await connection.close()
        return cls(session, connection.server, concurrency)

    async def __aenter__(self) -> "LoadClient":
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def create(self, groups: Sequence[Sequence[Manifest]]) -> None:
        """Create the objects of each group one after the other, and groups side by side."""
        waiting = iter(groups)

        async def work() -> None:
            for group in waiting:
                for manifest in group:
                    await self.write(manifest)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._concurrency):
                tasks.create_task(work())

    async def write(self, manifest: Manifest) -> Manifest:
        """Create an object, and return it as it is stored."""
        ref = ObjectRef.of(manifest)
        path = resource_of(ref).path(ref.namespace)
        return await self._send("POST", path, manifest, "application/json")

    async def write_status(self, obj: Manifest, status: Manifest) -> Manifest:
        """Set fields of an object's status, as its controller does; return the object."""
        ref = ObjectRef.of(obj)
        path = resource_of(ref).path(ref.namespace, ref.name, "status")
        return await self._send("PATCH", path, {"status": status}, "application/merge-patch+json")

    async def _send(self, method: str, path: str, body: Manifest, form: str) -> Manifest:
        text, headers = json.dumps(body), {"Content-Type": form}
        url = f"{self._server}{path}"
        async with self._session.request(method, url, data=text, headers=headers) as answer:
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path} was refused: {await answer.text()}")
            stored: Manifest = await answer.json()
            return stored

    async def read_lists(self, uris: Sequence[str]) -> None:
        """Read lists side by side, each page by page to its end, and keep nothing of them."""
        async with asyncio.TaskGroup() as tasks:
            for uri in uris:
                tasks.create_task(self._read_list(uri))

    async def _read_list(self, uri: str) -> None:
        url = URL(f"{self._server}{uri}", encoded=True)
        more: re.Match[bytes] | None = None
        while True:
            page = url.update_query({"continue": more[1].decode()}) if more else url
            async with self._session.get(page) as answer:
                answer.raise_for_status()
                body = await answer.read()
            if not (more := _CONTINUE.search(body[:_HEAD_BYTES])):
                return

    async def wait_for(
        self,
        resource: Resource,
        namespace: str,
        holds: Callable[[Row], bool],
        count: int,
        started: asyncio.Event,
    ) -> None:
        """Wait until ``count`` rows of ``kubectl get`` hold; ``started`` is set once it watches.

        A row maps the names of printer columns, in lower case, to cells.
        """
        found: dict[str, bool] = {}
        columns: list[str] = []
        watch = {"watch": "true", "includeObject": "None", "timeoutSeconds": "600"}
        url = f"{self._server}{resource.path(namespace)}"
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(
            url, params=watch, headers={"Accept": _TABLE}, timeout=timeout
        ) as answer:
            answer.raise_for_status()
            started.set()
            async for line in answer.content:
                table = json.loads(line)["object"]
                columns = [
                    c["name"].lower() for c in table.get("columnDefinitions") or ()
                ] or columns
                for row in table["rows"]:
                    cells = dict(zip(columns, row["cells"], strict=True))
                    found[cells["name"]] = holds(cells)
                if sum(found.values()) >= count:
                    return
        raise RuntimeError(f"The watch of {resource.plural} ended.")
