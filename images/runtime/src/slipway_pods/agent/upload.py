"""Put a training job's output into the store: the files first, the manifest last.

``python3 -I -m slipway_pods.agent.upload FOLDER URI`` answers on stdout with JSON lines, those of
`slipway_runtime.control`. It is a process of its own so that the sidecar, which waits for hours,
need not keep the store's libraries in memory. A run that is killed leaves no manifest; another one
goes through all files again, of large ones sends only the parts that the store has not, and does
nothing where the same output is already stored.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from slipway_pods import beneath
from slipway_pods.store import credentials, manifest, store, storing
from slipway_pods.store.manifest import Contents, OutputError, OutputFile, Skipped
from slipway_runtime.termination import say

T = TypeVar("T")

DENIED_SECONDS = 600.0
"""How long a store that answers "no" is asked again: its set-up may be under way."""
AWAY_SECONDS = 3600.0
"""How long a store that cannot be reached is asked again: the GPUs are held meanwhile."""
MAX_NAMED = 10
"""Most things that the answer names of those that were left out."""
MAX_NAME = 120
"""Longest name in the answer, in characters: it goes into a termination message of 4096 bytes."""


REPLACED = (FileNotFoundError, beneath.OutsideError, beneath.SpecialError)
"""What opening a file raises where something else took its place since it was found."""


def give_up(error: store.StoreError, waited: float) -> bool:
    """Tell whether to stop trying: after an hour without an answer, or 10 minutes of another."""
    away = isinstance(error, store.StoreUnavailableError)
    return waited > (AWAY_SECONDS if away else DENIED_SECONDS)


def upload(folder: Path, uri: str) -> dict[str, Any]:
    """Store all files under a folder beneath a URI; return what `describe` says of them.

    Raises StoreError where the store refuses, OutputError where a file or a folder cannot be read.
    """
    with readable():
        opened = beneath.Folder(folder)
    with opened:
        with readable():
            found, skipped = manifest.find(opened)
        return describe(uri, Upload(opened, uri).run(found, skipped))


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Turn what a disk says into an OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"The output cannot be read: {error}.") from error


class Upload:
    """One output on its way to a URI."""

    def __init__(self, folder: beneath.Folder, uri: str) -> None:
        self._folder = folder
        self._uri = uri
        self._mark = f"{uri}/{manifest.FILE_NAME}"
        self._marked = b""
        self._known: Mapping[str, OutputFile] = {}

    def run(self, found: list[beneath.Entry], skipped: list[Skipped]) -> Contents:
        """Store what is there, and then the manifest of it; return what that says."""
        skipped = list(skipped)
        self._marked = persist(lambda: stored(self._mark)) or b""
        self._known = known_files(self._marked)
        files = []
        for number, entry in enumerate(found, 1):
            try:
                file = self._put(entry.path)
            except (store.ChangedError, *REPLACED):
                skipped.append(Skipped(entry.path, "it changed while it was stored"))
            else:
                files.append(file)
                tell(f"stored {file.path} ({file.size} bytes, {number} of {len(found)} files)")
        contents = Contents(tuple(files), tuple(sorted(skipped, key=lambda one: one.path)))
        self._finish(manifest.encode(contents))
        return contents

    def _put(self, path: str) -> OutputFile:
        known = self._known.get(path)
        try:
            return storing.put(self._folder, path, f"{self._uri}/{path}", self._change, known)
        except REPLACED:
            raise
        except OSError as error:
            raise OutputError(f"The output file {path} cannot be read: {error}.") from error

    def _change(self, action: Callable[[], None]) -> None:
        """Change something in the store, which is not whole any more before."""
        if self._marked:
            persist(lambda: store.delete(self._mark))
            self._marked = b""
        persist(action)

    def _finish(self, encoded: bytes) -> None:
        if self._marked != encoded:
            persist(lambda: store.put_bytes(encoded, self._mark))


def describe(uri: str, contents: Contents) -> dict[str, Any]:
    """Return ``{"uri", "files", "sizeBytes"}``, and ``skipped`` where something was left out.

    That is ``{"count", "first": [{"path", "why"}]}``.
    """
    found = {"uri": uri, "files": len(contents.files), "sizeBytes": contents.size}
    if not contents.skipped:
        return found
    first = [{"path": _short(one.path), "why": one.why} for one in contents.skipped[:MAX_NAMED]]
    return {**found, "skipped": {"count": len(contents.skipped), "first": first}}


def _short(path: str) -> str:
    return path if len(path) <= MAX_NAME else f"...{path[3 - MAX_NAME :]}"


def stored(mark: str) -> bytes | None:
    """Return the manifest that is already in the store, or None."""
    try:
        return store.get_bytes(mark, manifest.MAX_BYTES)
    except store.ObjectNotFoundError:
        return None


def known_files(marked: bytes) -> Mapping[str, OutputFile]:
    """Return the files that the store's manifest names; none where it is not there, or broken."""
    with contextlib.suppress(OutputError):
        return manifest.decode(marked)
    return {}


def persist(action: Callable[[], T]) -> T:
    """Do an action, again for a while where the store does not do its part."""
    return store.retry(action, give_up=give_up, tell=tell)


def tell(message: str) -> None:
    """Answer that the work goes on."""
    answer({"event": "working", "message": message})


def answer(event: dict[str, Any]) -> None:
    """Write one JSON line to stdout."""
    print(json.dumps(event), flush=True)


def main(argv: Sequence[str]) -> int:
    """Store the output and answer how that ended; returns the exit code."""
    folder, uri = Path(argv[0]), argv[1].rstrip("/")
    try:
        answer({"event": "done", "output": upload(folder, uri)})
    except (store.StoreError, OutputError) as error:
        say(str(error))
        with contextlib.suppress(store.StoreError):
            store.give_up_uploads(uri)
        answer({"event": "failed", "message": f"The output was not stored. {error}"})
        return 1
    return 0


if __name__ == "__main__":
    credentials.hold()
    sys.exit(main(sys.argv[1:]))
