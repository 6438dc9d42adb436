"""kubectl as a typed function."""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dev import gotools
from tests.harness.api import KubectlError, Object, api
from tests.harness.waiting import wait_for

__all__ = ["Kubectl", "KubectlError", "Object"]

_DELETION = 120.0
"""Seconds within which something that is deleted is gone."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl with one kubeconfig; ``namespace`` is used where a call names none.

    An empty one leaves objects of many namespaces where their manifests put them.
    """

    kubeconfig: Path
    namespace: str = "default"

    def run(self, *args: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Return the standard output of ``kubectl ARGS``; raise KubectlError if it fails."""
        argv = [str(gotools.path("kubectl")), f"--kubeconfig={self.kubeconfig}", *args]
        named = any(arg in ("-n", "-A") or arg.startswith("--namespace") for arg in args)
        if self.namespace and not named:
            argv.insert(2, f"--namespace={self.namespace}")
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
        if done.returncode:
            raise KubectlError(done.stderr.strip())
        return done.stdout

    def apply(self, what: Path | Object | Iterable[Object] | str, *args: str) -> str:
        """Apply a file, a folder, YAML text, or one or more objects, server-side.

        Objects alone, without more ``args``, start no kubectl.
        """
        if not (args or isinstance(what, Path | str)):
            for one in _objects(what):
                api(self.kubeconfig).apply(one, self._place(None))
            return ""
        flags = ("apply", "--server-side", "--force-conflicts", *args)
        if isinstance(what, Path):
            return self.run(*flags, "-f", str(what))
        return self.run(*flags, "-f", "-", stdin=_manifest(what))

    def wait_until_established(self, *what: str) -> None:
        """Wait until the API server serves definitions: ``crd/NAME``, or ``-f`` and a file.

        kubectl's own wait fails on one that has no condition yet, and ends a moment before the
        objects of a kind can be listed.
        """

        def established() -> bool:
            try:
                self.run("wait", "--for=condition=Established", "--timeout=60s", *what)
            except KubectlError:
                return False
            return True

        wait_for(established, 180, f"{what} are established")
        found = json.loads(self.run("get", "--output=json", *what))
        for crd in found.get("items", [found]):
            wait_for(partial(api(self.kubeconfig).serves, crd), 120, f"{what} are served")

    def create(self, what: Object | Iterable[Object]) -> None:
        """Create one or more objects; fails on those that exist. Starts no kubectl."""
        for one in _objects(what):
            api(self.kubeconfig).create(one, self._place(None))

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """Return an object, or None if it does not exist; starts no kubectl."""
        return api(self.kubeconfig).get(kind, name, self._place(namespace))

    def list(self, kind: str, selector: str = "", namespace: str | None = None) -> list[Object]:
        """Return the objects of a kind with these labels (a label selector); starts no kubectl."""
        return api(self.kubeconfig).list(kind, selector, self._place(namespace))

    def _place(self, namespace: str | None) -> str:
        return namespace or self.namespace or "default"

    def patch(self, kind: str, name: str, body: Object, namespace: str | None = None) -> Object:
        """Send a merge patch to an object, or to ``NAME/SUBRESOURCE``; starts no kubectl."""
        return api(self.kubeconfig).patch(kind, name, self._place(namespace), body)

    def post(self, kind: str, path: str, body: Object) -> Object:
        """Create a subresource such as ``NAME/eviction``; starts no kubectl."""
        return api(self.kubeconfig).post(kind, path, self._place(None), body)

    def delete(
        self,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        wait: bool = True,
        grace: int | None = None,
    ) -> None:
        """Delete an object and wait until it is gone; one that does not exist is fine.

        ``grace`` is a pod's time to end, in seconds. Starts no kubectl.
        """
        found, place = self.get(kind, name, namespace), self._place(namespace)
        if found is None:
            return
        api(self.kubeconfig).delete(kind, name, place, grace)
        if not wait:
            return

        def gone() -> bool:
            left = self.get(kind, name, namespace)
            return left is None or left["metadata"]["uid"] != found["metadata"]["uid"]

        wait_for(gone, _DELETION, f"{kind}/{name} is gone")

    def delete_all(self, *kinds: str) -> None:
        """Delete all objects of some kinds in the namespace, and wait until they are gone.

        What is made meanwhile goes too: an operator that has not yet heard of the end of an owner
        may make its child once more, and a control plane without controllers collects none.
        Starts no kubectl.
        """
        left: list[Object] = []

        def gone() -> bool:
            for kind in kinds:
                api(self.kubeconfig).delete_all(kind, self._place(None))
            left[:] = self.list(",".join(kinds))
            return not left

        wait_for(gone, _DELETION, f"no {kinds} are left", lambda: json.dumps(left, indent=1))


def _objects(what: Object | Iterable[Object]) -> Iterable[Object]:
    return (what,) if isinstance(what, dict) else what


def _manifest(what: Object | Iterable[Object] | str) -> str:
    if isinstance(what, str):
        return what
    if isinstance(what, dict):
        return json.dumps(what)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(what)})
