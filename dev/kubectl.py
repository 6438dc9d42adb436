"""kubectl, the pinned one, for a cluster and a namespace."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev import gotools
from dev.shell import run


@dataclass(frozen=True)
class Kubectl:
    """kubectl with a kubeconfig (None: the user's current one) and a default namespace."""

    kubeconfig: Path | None
    namespace: str = "default"

    def argv(self, *args: str) -> list[str]:
        """Return the whole command line."""
        where = [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []
        return [str(gotools.path("kubectl")), *where, f"--namespace={self.namespace}", *args]

    def __call__(self, *args: str, stdin: str | None = None) -> str:
        """Run it and return its standard output; raise DevError if it fails."""
        return run(*self.argv(*args), stdin=stdin)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object; an empty one if it does not exist."""
        text = self("get", kind, name, "--ignore-not-found", "--output=json")
        found: dict[str, Any] = json.loads(text) if text.strip() else {}
        return found
