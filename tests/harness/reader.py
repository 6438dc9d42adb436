"""Reading objects from an API server on a kept connection: kubectl starts a process each time."""

import base64
import contextlib
import json
import ssl
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx

Object = dict[str, Any]
_TIMEOUT = 60.0
_NEWS_SECONDS = 5.0
_NAMESPACED = "/namespaces/{}"


class KubectlError(Exception):
    """kubectl, or what reads in its place, was told no or nothing; the text is what it was told."""


class Reader:
    """Reads objects by whatever name kubectl knows their kind by."""

    def __init__(self, kubeconfig: Mapping[str, Any]) -> None:
        cluster = kubeconfig["clusters"][0]["cluster"]
        user = kubeconfig["users"][0]["user"]
        headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        self._http = httpx.Client(
            base_url=cluster["server"],
            verify=_context(cluster, user),
            headers=headers,
            timeout=_TIMEOUT,
            trust_env=False,
        )
        self._paths: dict[str, str] = {}

    def get(self, kind: str, name: str, namespace: str) -> Object | None:
        """Return an object, or None where there is none."""
        answer = self._ask(f"{self._path(kind, namespace)}/{name}")
        return None if answer is None else _shown(answer)

    def list(self, kinds: str, selector: str, namespace: str) -> list[Object]:
        """Return the objects of a kind, or of several with commas between."""
        return [one for kind in kinds.split(",") for one in self._list(kind, selector, namespace)]

    def _list(self, kind: str, selector: str, namespace: str) -> Iterator[Object]:
        options = {"labelSelector": selector} if selector else {}
        answer = self._ask(self._path(kind, namespace), options)
        if answer is None:
            raise KubectlError(f"There is no list of {kind}.")
        same = {"apiVersion": answer["apiVersion"], "kind": answer["kind"].removesuffix("List")}
        yield from (_shown({**same, **one}) for one in answer["items"])

    def _path(self, kind: str, namespace: str) -> str:
        return self._known(kind.lower()).format(namespace)

    def _known(self, word: str) -> str:
        """Return a kind's path; one that was just installed is told of a moment later."""
        deadline = time.monotonic() + _NEWS_SECONDS
        while word not in self._paths:
            self._paths = dict(self._discover())
            if word not in self._paths:
                if time.monotonic() > deadline:
                    raise KubectlError(f'The server doesn\'t have a resource type "{word}".')
                time.sleep(0.2)
        return self._paths[word]

    def _discover(self) -> Iterator[tuple[str, str]]:
        """Yield each name of each kind with its path; what comes last has the last word.

        A server names groups and their versions in the order in which it prefers them.
        A group whose own server is away has none, as for kubectl.
        """
        groups = (self._ask("/apis") or {})["groups"]
        versions = [one["groupVersion"] for group in groups for one in group["versions"]]
        for base in (*(f"/apis/{version}" for version in reversed(versions)), "/api/v1"):
            group = base.split("/")[2] if base.startswith("/apis/") else ""
            for resource in self._resources(base):
                if "/" not in resource["name"]:
                    yield from _named(resource, base, group)

    def _resources(self, base: str) -> Iterable[Object]:
        with contextlib.suppress(KubectlError):
            found: Iterable[Object] = (self._ask(base) or {}).get("resources", ())
            return found
        return ()

    def _ask(self, path: str, options: Mapping[str, str] | None = None) -> Any:
        """Return what is there, or None; a connection that broke is tried once more."""
        try:
            answer = self._send(path, options)
        except httpx.TransportError as error:
            raise KubectlError(f"The connection to the server was refused: {error}") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.is_error:
            said = answer.json() if "json" in answer.headers.get("content-type", "") else {}
            raise KubectlError(f"Error from server: {said.get('message') or answer.text}")
        return answer.json()

    def _send(self, path: str, options: Mapping[str, str] | None) -> httpx.Response:
        try:
            return self._http.get(path, params=options)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            return self._http.get(path, params=options)


@lru_cache(maxsize=64)
def _reader(kubeconfig: Path, written: int) -> Reader:
    del written
    return Reader(json.loads(kubeconfig.read_text()))


def reader(kubeconfig: Path) -> Reader:
    """Return the one for a kubeconfig as `dev.cluster` writes them, as it is now."""
    return _reader(kubeconfig, kubeconfig.stat().st_mtime_ns)


def _named(resource: Object, base: str, group: str) -> Iterator[tuple[str, str]]:
    inside = _NAMESPACED if resource["namespaced"] else ""
    path = f"{base}{inside}/{resource['name']}"
    names = {resource["name"], resource["kind"].lower(), resource.get("singularName", "")}
    for name in names | set(resource.get("shortNames", ())):
        yield name, path
        yield f"{name}.{group}", path


def _shown(found: Object) -> Object:
    """Return an object without its managed fields, which kubectl does not show either."""
    found["metadata"].pop("managedFields", None)
    return found


def _context(cluster: Object, user: Object) -> ssl.SSLContext:
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    if "client-certificate-data" in user:
        with tempfile.NamedTemporaryFile() as both:
            for part in ("client-certificate-data", "client-key-data"):
                both.write(base64.b64decode(user[part]) + b"\n")
            both.flush()
            context.load_cert_chain(both.name)
    return context
