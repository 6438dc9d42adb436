"""An API server on a kept connection, where kubectl would start a process each time."""

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
_NEWS_SECONDS = 60.0
_AGAIN_SECONDS = 60.0
"""How long a request is sent again that the API server says to send again."""
_NAMESPACED = "/namespaces/{}"
_BACKGROUND = {"propagationPolicy": "Background"}


class KubectlError(Exception):
    """kubectl, or what stands in its place, was told no; the text is what it was told."""


class Api:
    """Reads and writes objects by whatever name kubectl knows their kind by, and as it does."""

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
        answer = self._ask("GET", f"{self._path(kind, namespace)}/{name}")
        return None if answer is None else _shown(answer)

    def list(self, kinds: str, selector: str, namespace: str) -> list[Object]:
        """Return the objects of a kind, or of several with commas between."""
        return [one for kind in kinds.split(",") for one in self._list(kind, selector, namespace)]

    def apply(self, manifest: Object, namespace: str) -> Object:
        """Apply an object server-side, whoever had its fields before."""
        name = manifest["metadata"]["name"]
        return self._write(
            "PATCH",
            f"{self._place(manifest, namespace)}/{name}",
            manifest,
            {"fieldManager": "kubectl", "force": "true", "fieldValidation": "Strict"},
            "application/apply-patch+yaml",
        )

    def create(self, manifest: Object, namespace: str) -> Object:
        """Create an object; fails where there is one of its name."""
        options = {"fieldManager": "kubectl-create", "fieldValidation": "Strict"}
        return self._write("POST", self._place(manifest, namespace), manifest, options)

    def patch(self, kind: str, path: str, namespace: str, body: Object) -> Object:
        """Send a merge patch; ``path`` is an object's name, and its subresource after a slash."""
        where = f"{self._path(kind, namespace)}/{path}"
        options = {"fieldManager": "kubectl-patch"}
        return self._write("PATCH", where, body, options, "application/merge-patch+json")

    def post(self, kind: str, path: str, namespace: str, body: Object) -> Object:
        """Create a subresource such as ``NAME/eviction``."""
        return self._write("POST", f"{self._path(kind, namespace)}/{path}", body)

    def delete(self, kind: str, name: str, namespace: str, grace: int | None = None) -> None:
        """Have an object deleted, and what it owns after it; one that is not there is fine.

        ``grace`` is what a pod gets instead of its own grace period, in seconds.
        """
        pause = {} if grace is None else {"gracePeriodSeconds": str(grace)}
        self._ask("DELETE", f"{self._path(kind, namespace)}/{name}", _BACKGROUND | pause)

    def delete_all(self, kind: str, namespace: str) -> None:
        """Have all objects of a kind in a namespace deleted."""
        self._ask("DELETE", self._path(kind, namespace), _BACKGROUND)

    def serves(self, crd: Object) -> bool:
        """Tell whether objects of a definition can be listed, in all of its versions."""
        spec = crd["spec"]
        versions = [one["name"] for one in spec["versions"] if one["served"]]
        paths = [f"/apis/{spec['group']}/{version}" for version in versions]
        options = {"limit": "1"}
        try:
            return all(self._ask("GET", f"{p}/{spec['names']['plural']}", options) for p in paths)
        except KubectlError:
            return False

    def _place(self, manifest: Object, namespace: str) -> str:
        """Return the path of the collection that a manifest belongs to."""
        word = _exact(manifest["apiVersion"], manifest["kind"])
        return self._path(word, manifest["metadata"].get("namespace") or namespace)

    def _write(
        self,
        method: str,
        path: str,
        body: Object,
        options: Mapping[str, str] | None = None,
        form: str = "application/json",
    ) -> Object:
        answer = self._ask(method, path, options, body, form)
        if answer is None:
            raise KubectlError(f"Error from server (NotFound): there is no {path}")
        found: Object = answer
        return found

    def _list(self, kind: str, selector: str, namespace: str) -> Iterator[Object]:
        options = {"labelSelector": selector} if selector else {}
        answer = self._ask("GET", self._path(kind, namespace), options)
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
        groups = (self._ask("GET", "/apis") or {})["groups"]
        versions = [one["groupVersion"] for group in groups for one in group["versions"]]
        for base in (*(f"/apis/{version}" for version in reversed(versions)), "/api/v1"):
            group = base.split("/")[2] if base.startswith("/apis/") else ""
            for resource in self._resources(base):
                if "/" not in resource["name"]:
                    yield from _named(resource, base, group)

    def _resources(self, base: str) -> Iterable[Object]:
        with contextlib.suppress(KubectlError):
            found: Iterable[Object] = (self._ask("GET", base) or {}).get("resources", ())
            return found
        return ()

    def _ask(
        self,
        method: str,
        path: str,
        options: Mapping[str, str] | None = None,
        body: Object | None = None,
        form: str = "",
    ) -> Any:
        """Return the answer, or None where there is nothing at a path."""
        content = None if body is None else json.dumps(body)
        headers = {"Content-Type": form} if form else {}
        request = self._http.build_request(
            method, path, params=options, content=content, headers=headers
        )
        try:
            answer = self._send(request)
        except httpx.TransportError as error:
            raise KubectlError(f"The connection to the server was refused: {error}") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.is_error:
            said = answer.json() if "json" in answer.headers.get("content-type", "") else {}
            raise KubectlError(f"Error from server: {said.get('message') or answer.text}")
        return answer.json()

    def _send(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and again as long as the answer says when to, as kubectl does.

        An API server that makes room for a new kind says so, and one that is busy.
        """
        deadline = time.monotonic() + _AGAIN_SECONDS
        while True:
            answer = self._send_now(request)
            pause = answer.headers.get("Retry-After", "")
            if not (answer.is_error and pause.isdecimal()) or time.monotonic() > deadline:
                return answer
            time.sleep(int(pause))

    def _send_now(self, request: httpx.Request) -> httpx.Response:
        """Send what may be sent twice once more where a connection broke."""
        try:
            return self._http.send(request)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            if request.method == "POST":
                raise
            return self._http.send(request)


@lru_cache(maxsize=64)
def _api(kubeconfig: Path, written: int) -> Api:
    del written
    return Api(json.loads(kubeconfig.read_text()))


def api(kubeconfig: Path) -> Api:
    """Return the one for a kubeconfig as `dev.cluster` writes them, as it is now."""
    return _api(kubeconfig, kubeconfig.stat().st_mtime_ns)


def _named(resource: Object, base: str, group: str) -> Iterator[tuple[str, str]]:
    inside = _NAMESPACED if resource["namespaced"] else ""
    version = base.removeprefix("/apis/").removeprefix("/api/")
    path = f"{base}{inside}/{resource['name']}"
    names = {resource["name"], resource["kind"].lower(), resource.get("singularName", "")}
    yield _exact(version, resource["kind"]), path
    for name in names | set(resource.get("shortNames", ())):
        yield name, path
        yield f"{name}.{group}", path


def _exact(version: str, kind: str) -> str:
    return f"{version}/{kind}".lower()


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
