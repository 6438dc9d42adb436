"""Put a training job's output into the store: the files first, the manifest last.

``python3 -m slipway_runtime.upload FOLDER URI`` answers on stdout with JSON lines, those of
`slipway_runtime.control`. It is a process of its own so that the sidecar, which waits for hours,
need not keep the store's libraries in memory. A run that is killed leaves no manifest; another one
goes through all files again, of large ones sends only the parts that the store has not, and does
nothing where the same output is already stored.
"""

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from slipway_runtime import credentials, manifest, store
from slipway_runtime.manifest import OutputError, OutputFile
from slipway_runtime.termination import say

T = TypeVar("T")

DENIED_SECONDS = 600.0
"""How long a store that answers "no" is asked again: its set-up may be under way."""


def give_up(error: store.StoreError, waited: float) -> bool:
    """Tell whether to stop trying: never while the store is unreachable, else after 10 minutes.

    The result of a training must not be lost to an outage; the job's deadline bounds the wait.
    """
    return not isinstance(error, store.StoreUnavailableError) and waited > DENIED_SECONDS


def upload(folder: Path, uri: str) -> dict[str, Any]:
    """Store all files under a folder beneath a URI, and return ``{"uri", "files", "sizeBytes"}``.

    Raises StoreError where the store refuses, OutputError where a file changes or cannot be read.
    """
    files = scan(folder)
    encoded, mark = manifest.encode(files), f"{uri}/{manifest.FILE_NAME}"
    if persist(lambda: stored(mark)) != encoded:
        persist(lambda: store.delete(mark))
        for number, file in enumerate(files, 1):
            put(folder, file, uri)
            tell(f"stored {file.path} ({file.size} bytes, {number} of {len(files)} files)")
        persist(lambda: store.put_bytes(encoded, mark))
    return {"uri": uri, "files": len(files), "sizeBytes": sum(file.size for file in files)}


def scan(folder: Path) -> list[OutputFile]:
    """Return the files to store; raises OutputError where one cannot be read."""
    try:
        return manifest.scan(folder)
    except OSError as error:
        raise OutputError(f"The output cannot be read: {error}.") from error


def stored(mark: str) -> bytes | None:
    """Return the manifest that is already in the store, or None."""
    try:
        return store.get_bytes(mark)
    except store.ObjectNotFoundError:
        return None


def put(folder: Path, file: OutputFile, uri: str) -> None:
    """Store one file; raises OutputError where it is no longer what the manifest says."""
    path = folder / file.path
    try:
        persist(lambda: store.put_file(path, f"{uri}/{file.path}"))
        unchanged = manifest.digest(path) == file.sha256
    except OSError as error:
        raise OutputError(f"The output file {file.path} cannot be read: {error}.") from error
    if not unchanged:
        raise OutputError(f"The output file {file.path} changed while it was stored.")


def persist(action: Callable[[], T]) -> T:
    """Do an action, again and again while the store is unreachable."""
    return store.retry(action, give_up=give_up, tell=tell)


def tell(message: str) -> None:
    """Answer that the work goes on."""
    answer({"event": "working", "message": message})


def answer(event: dict[str, Any]) -> None:
    """Write one JSON line to stdout."""
    print(json.dumps(event), flush=True)


def main(folder: Path, uri: str) -> int:
    """Store the output and answer how that ended; returns the exit code."""
    try:
        answer({"event": "done", "output": upload(folder, uri.rstrip("/"))})
    except (store.StoreError, OutputError) as error:
        say(str(error))
        with contextlib.suppress(store.StoreError):
            store.give_up_uploads(uri.rstrip("/"))
        answer({"event": "failed", "message": f"The output was not stored. {error}"})
        return 1
    return 0


if __name__ == "__main__":
    credentials.hold()
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
