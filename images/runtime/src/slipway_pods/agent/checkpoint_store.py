"""Where a job's checkpoints lie in the store, when one is valid, and how many are kept.

    URI/step-000000000100-1a2b3c4d-5e6f7081/node-0/...     what the node of rank 0 wrote
                                            node-1/...     what the next one wrote
                                            _node-0.json   written when all of that node's are there
                                            _manifest.json written last: the checkpoint is valid

Nothing without a manifest is ever resumed from. It is the first that goes when a checkpoint is
deleted. A node is numbered by its pod's index; in an elastic group some may be missing. Others may
write to the place too: what is read there is parsed strictly, and what is wrong is passed over.
"""

import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from slipway_pods import beneath, room
from slipway_pods.store import manifest, store, store_errors, storing
from slipway_pods.store.whole_file import whole
from slipway_runtime import strict
from slipway_runtime.checkpoint.files import (
    ANNOUNCEMENT,
    KINDS,
    MAX_NODES,
    MAX_STEP,
    Announcement,
    Name,
)
from slipway_runtime.termination import say

T = TypeVar("T")

REFUSED_SECONDS = 60.0
"""How long a store that is full or says no is asked again."""
PAUSE_SECONDS = 0.5
MAX_INDEX = 10**6
"""Highest index of a pod in a mark's name."""
_NODE = re.compile(r"_node-([0-9]{1,6})\.json")
_PART = re.compile(r"node-[0-9]{1,6}/.+", re.DOTALL)


class LostError(Exception):
    """A checkpoint cannot be stored or read; the text is one sentence that says why."""


class Archive:
    """The checkpoints under one URI.

    ``owner`` marks those of this job; only its own are ever deleted, and with ``own_only`` only its
    own are resumed from. A store that does not answer is asked again for ``patience`` seconds.
    """

    def __init__(self, uri: str, owner: str, *, keep: int, own_only: bool, patience: float) -> None:
        self.uri = uri.rstrip("/")
        self._owner = owner
        self._keep = keep
        self._own_only = own_only
        self._patience = patience

    def newest(self, tell: Callable[[str], None] = say) -> dict[str, Any] | None:
        """Return the manifest of the newest valid checkpoint whose files are there; else None.

        Order is by step, and by time among those of one step. Raises StoreError.
        """
        names = self._names(self._own_only, tell)
        for step in sorted({name.step for name in names}, reverse=True):
            same = [self._manifest(name, tell) for name in names if name.step == step]
            valid = [one for one in same if one and self._is_whole(one, tell)]
            if valid:
                return max(valid, key=lambda one: float(one["time"]))
        return None

    def put(self, folder: Path, said: Announcement) -> list[dict[str, Any]]:
        """Store one node's part of a save, and then its mark; return the entries of its files."""
        place = f"{self.uri}/{said.name}"
        with beneath.Folder(folder) as opened:
            found, skipped = manifest.find(opened)
            for one in skipped:
                say(f"{one.path} is left out of the checkpoint of step {said.step}: {one.why}")
            paths = [entry.path for entry in found if entry.path != ANNOUNCEMENT]
            entries = [self._put_file(opened, path, f"node-{said.node}", place) for path in paths]
        mark = json.dumps({"files": entries}).encode()
        self._persist(lambda: store.put_bytes(mark, f"{place}/_node-{said.node}.json"))
        return entries

    def commit(self, said: Announcement, goes_on: Callable[[], bool]) -> dict[str, Any] | None:
        """Make a checkpoint valid once all nodes have stored theirs; return its manifest.

        None where it is given up: ``goes_on`` is asked now and then.
        """
        place = f"{self.uri}/{said.name}"
        parts: dict[int, list[dict[str, Any]]] = {}
        while True:
            for node in set(self._marked(place)) - set(parts):
                files = self._get(f"{place}/_node-{node}.json", _parse_mark)
                if files is not None:
                    parts[node] = files
            if len(parts) >= said.nodes:
                break
            if not goes_on():
                return None
            time.sleep(PAUSE_SECONDS)
        whole = _manifest_of(said, [entry for node in sorted(parts) for entry in parts[node]])
        self._persist(lambda: store.put_bytes(json.dumps(whole).encode(), _mark(place)))
        return whole

    def _marked(self, place: str) -> list[int]:
        """Return the nodes whose part is there."""
        there = self._persist(lambda: store.sizes(place))
        return [int(match[1]) for path in there if (match := _NODE.fullmatch(path))]

    def prune(self, newest: str) -> None:
        """Delete what of this job's is beyond the number to keep, and what was never completed.

        The newest is kept in any case, and so is what has a later step than it. A store that does
        not answer keeps its own until the next time.
        """
        found = {*self._names(own_only=True), *self._begun()}
        names = [name for name in sorted(found, key=str) if str(name)[:17] <= newest[:17]]
        valid = [name for name in names if store.sizes(_mark(f"{self.uri}/{name}"))]
        valid.sort(key=lambda name: (name.step, str(name) == newest))
        kept = valid[-self._keep :]
        for name in names:
            if name not in kept and str(name) != newest:
                self._delete(str(name))

    def fetch(self, found: dict[str, Any], paths: Iterable[str] | None, target: Path) -> None:
        """Bring files of a checkpoint into a folder, each checked before it gets its name."""
        wanted = local_files(found)
        named = sorted(wanted) if paths is None else list(paths)
        _check_room([wanted[path] for path in named if path in wanted], target)
        for path in named:
            entry = wanted.get(path)
            if entry is None:
                raise LostError(f"The checkpoint {found['name']} has no file {path}.")
            self._fetch_one(f"{self.uri}/{found['name']}/{entry['path']}", entry, target / path)

    def _put_file(self, folder: beneath.Folder, path: str, node: str, place: str) -> dict[str, Any]:
        uri = f"{place}/{node}/{path}"
        try:
            file = storing.put(folder, path, uri, self._persist)
        except store.ChangedError as error:
            raise manifest.OutputError(f"The file {path} changed while it was stored.") from error
        return {**file.entry(), "path": f"{node}/{path}"}

    def _fetch_one(self, uri: str, entry: dict[str, Any], path: Path) -> None:
        if path.exists():
            return
        with whole(path) as partial:
            self._persist(lambda: store.get_file(uri, partial, entry["sizeBytes"]))
            if manifest.digest(partial) != entry["sha256"]:
                raise LostError(f"{uri} is not what was stored there: its SHA-256 differs.")

    def _names(self, own_only: bool, tell: Callable[[str], None] = say) -> list[Name]:
        found = self._persist(lambda: store.folders(self.uri), tell)
        names = [name for text in found if (name := Name.parse(text))]
        return [name for name in names if not own_only or name.owner == self._owner]

    def _begun(self) -> list[Name]:
        """Return those of this job's of which there may be no more than parts of a file."""
        paths = self._persist(lambda: store.unfinished_uploads(self.uri))
        names = [name for path in paths if (name := Name.parse(path.partition("/")[0]))]
        return [name for name in names if name.owner == self._owner]

    def _manifest(self, name: Name, tell: Callable[[str], None]) -> dict[str, Any] | None:
        return self._get(_mark(f"{self.uri}/{name}"), lambda value: parse(value, name), tell)

    def _get(
        self, uri: str, parse: Callable[[Any], T], tell: Callable[[str], None] = say
    ) -> T | None:
        """Return what a JSON object in the store says; None where it is not there, or is wrong."""
        try:
            data = self._persist(lambda: store.get_bytes(uri, manifest.MAX_BYTES), tell)
            return parse(strict.loads(data, manifest.MAX_BYTES, manifest.MAX_VALUES))
        except store.ObjectNotFoundError:
            return None
        except (store.TooLargeError, ValueError) as error:
            say(f"{uri} is passed over: {error}")
            return None

    def _is_whole(self, found: dict[str, Any], tell: Callable[[str], None]) -> bool:
        place = f"{self.uri}/{found['name']}"
        there = self._persist(lambda: store.sizes(place), tell)
        gone = [one["path"] for one in found["files"] if there.get(one["path"]) != one["sizeBytes"]]
        if gone:
            say(f"{place} is passed over: {manifest_names(gone)} is gone or has another size")
        return not gone

    def _delete(self, name: str) -> None:
        """Delete a checkpoint, its manifest first, so that no half of one is ever valid."""
        place = f"{self.uri}/{name}"
        store.delete(_mark(place))
        for path in store.sizes(place):
            store.delete(f"{place}/{path}")
        store.give_up_uploads(place)

    def _persist(self, action: Callable[[], T], tell: Callable[[str], None] = say) -> T:
        return store.retry(action, give_up=self._give_up, tell=tell)

    def _give_up(self, error: store.StoreError, waited: float) -> bool:
        away = isinstance(error, store.StoreUnavailableError)
        if isinstance(error, store.ObjectNotFoundError | store.TooLargeError):
            return True
        return waited > (self._patience if away else min(REFUSED_SECONDS, self._patience))


def local_files(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a manifest's files by their paths without the node; of namesakes the first node's."""
    named: dict[str, dict[str, Any]] = {}
    for entry in found["files"]:
        named.setdefault(entry["path"].partition("/")[2], entry)
    return named


def _check_room(entries: list[dict[str, Any]], target: Path) -> None:
    """Raise OSError where the files that are not there yet are too large for a folder's disk."""
    target.mkdir(parents=True, exist_ok=True)
    sizes = {entry["path"].partition("/")[2]: entry["sizeBytes"] for entry in entries}
    missing = sum(size for path, size in sizes.items() if not (target / path).exists())
    if missing > room.free(target):
        raise store_errors.no_space()


def manifest_names(paths: list[str]) -> str:
    """Return the first of some paths, and how many more there are."""
    return paths[0] + (f" (and {len(paths) - 1} more)" if len(paths) > 1 else "")


def _manifest_of(said: Announcement, entries: list[dict[str, Any]]) -> dict[str, Any]:
    kept = {key: value for key, value in asdict(said).items() if key not in ("node", "main")}
    return {**kept, "time": time.time(), "files": entries}


def _mark(place: str) -> str:
    return f"{place}/{manifest.FILE_NAME}"


def parse(value: Any, name: Name) -> dict[str, Any]:
    """Return the manifest of the checkpoint of a name; raises ValueError for any other value."""
    fields = strict.Fields(value, "the manifest")
    if fields.text("name", 64) != str(name) or fields.integer("step", 0, MAX_STEP) != name.step:
        raise ValueError("it is another checkpoint's")
    return {
        "name": str(name),
        "step": name.step,
        "kind": fields.choice("kind", KINDS),
        "nodes": fields.integer("nodes", 1, MAX_NODES),
        "began": fields.number("began"),
        "time": fields.number("time"),
        "state": fields.mapping("state"),
        "files": _parse_mark(value),
    }


def _parse_mark(value: Any) -> list[dict[str, Any]]:
    """Return the entries of a node's files, or of all nodes', each in its node's folder."""
    entries = strict.Fields(value, "the list of files").items("files", manifest.MAX_FILES)
    files = manifest.parse_files(entries)
    for file in files:
        if not _PART.fullmatch(file.path):
            raise ValueError(f"{file.path!r} is in no node's folder")
    return [file.entry() for file in files]
