"""kubectl, the pinned one, for a cluster and a namespace."""

import json
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev import gotools
from dev.errors import DevError
from dev.shell import run

_AGAIN_SECONDS = 1.0
"""Pause before a watch that has ended is begun again, as where the API server was restarted."""


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

    def watch(self, kind: str, name: str, timeout: float) -> Generator[dict[str, Any]]:
        """Yield an object as it is, if it is there, and then whenever it changes.

        Ends ``timeout`` seconds after the first one is asked for; raises DevError where kubectl
        fails before it has printed any.
        """
        argv = self.argv(
            *("get", kind, f"--field-selector=metadata.name={name}", "--watch", "--output=json")
        )
        deadline, printed = time.monotonic() + timeout, False
        while (left := deadline - time.monotonic()) > 0:
            with (
                tempfile.TemporaryFile("w+") as errors,
                subprocess.Popen(
                    argv, stdout=subprocess.PIPE, stderr=errors, text=True
                ) as watching,
            ):
                timer = threading.Timer(left, watching.kill)
                timer.start()
                try:
                    for found in documents(watching.stdout or ()):
                        printed = True
                        yield found
                    failed = watching.wait() > 0
                finally:
                    timer.cancel()
                    watching.kill()
                if failed and not printed:
                    errors.seek(0)
                    raise DevError(f"`{shlex.join(argv)}` failed: {errors.read().strip()}")
            time.sleep(max(0.0, min(_AGAIN_SECONDS, deadline - time.monotonic())))


def documents(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the objects that kubectl prints as indented JSON, each once its last line is there.

    One that is cut off is left out.
    """
    text: list[str] = []
    for line in lines:
        text.append(line)
        if line.rstrip("\n") == "}":
            yield json.loads("".join(text))
            text.clear()
