"""One file of a folder that a script writes to, on its way into the store.

It is opened once; what is hashed and what is sent are read from that very descriptor.
"""

import contextlib
import hashlib
from collections.abc import Callable
from typing import TypeVar

from slipway_pods import beneath
from slipway_pods.store import store
from slipway_pods.store.manifest import OutputFile, stream_digest

T = TypeVar("T")

TRIES = 2
"""How often a file that changes meanwhile is begun."""


def put(
    folder: beneath.Folder,
    path: str,
    uri: str,
    persist: Callable[[Callable[[], None]], None],
    known: OutputFile | None = None,
) -> OutputFile:
    """Store a file at a URI, and return what was stored there.

    ``persist`` does an action, again where that is of use. What lies at the URI already may be
    ``known``: the same is not sent again. Raises OSError where the file cannot be read, and
    ChangedError where it does not stand still; nothing is at the URI then.
    """
    for _ in range(TRIES):
        with folder.open(path) as file:
            data = file.read(store.AT_ONCE + 1)
            if len(data) <= store.AT_ONCE:
                return _put_bytes(data, path, uri, persist, known)
            del data
            sha256, size = stream_digest(file), file.seek(0, 2)
            stored = OutputFile(path, size, sha256)
            if stored == known:
                return stored
            with contextlib.suppress(store.ChangedError):
                persist(lambda: store.put_file(file, uri))
                if stream_digest(file) == sha256:
                    return stored
    persist(lambda: store.delete(uri))
    raise store.ChangedError("it changed while it was stored")


def _put_bytes(
    data: bytes,
    path: str,
    uri: str,
    persist: Callable[[Callable[[], None]], None],
    known: OutputFile | None,
) -> OutputFile:
    """Store a small file, which is what it was when it was read."""
    stored = OutputFile(path, len(data), hashlib.sha256(data).hexdigest())
    if stored != known:
        persist(lambda: store.put_bytes(data, uri))
    return stored
