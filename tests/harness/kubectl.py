"""kubectl as a typed function."""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dev import gotools
from tests.harness.reader import KubectlError, Object, reader

__all__ = ["Kubectl", "KubectlError", "Object"]


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
        """Apply a file, a folder, YAML text, or one or more objects, server-side."""
        flags = ("apply", "--server-side", "--force-conflicts", *args)
        if isinstance(what, Path):
            return self.run(*flags, "-f", str(what))
        return self.run(*flags, "-f", "-", stdin=_manifest(what))

    def create(self, what: Object | Iterable[Object] | str, *args: str) -> str:
        """Create one or more objects; fails on those that exist."""
        return self.run("create", "-f", "-", *args, stdin=_manifest(what))

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """Return an object, or None if it does not exist; starts no kubectl."""
        return reader(self.kubeconfig).get(kind, name, self._place(namespace))

    def list(self, kind: str, selector: str = "", namespace: str | None = None) -> list[Object]:
        """Return the objects of a kind with these labels (a label selector); starts no kubectl."""
        return reader(self.kubeconfig).list(kind, selector, self._place(namespace))

    def _place(self, namespace: str | None) -> str:
        return namespace or self.namespace or "default"

    def delete(self, kind: str, name: str, *args: str, namespace: str | None = None) -> None:
        """Delete an object and wait until it is gone; one that does not exist is fine."""
        self.run("delete", kind, name, "--ignore-not-found", *args, *_in(namespace))


def _in(namespace: str | None) -> tuple[str, ...]:
    return (f"--namespace={namespace}",) if namespace else ()


def _manifest(what: Object | Iterable[Object] | str) -> str:
    if isinstance(what, str):
        return what
    if isinstance(what, dict):
        return json.dumps(what)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(what)})
