"""What a training job's output consists of: ``_manifest.json``, which is written last.

Its shape: ``{"files": [{"path": str, "sizeBytes": int, "sha256": hex}]}``, sorted by path, and
``"skipped": [{"path": str, "why": str}]`` where something was left out. An output without it is not
complete: whoever reads an output reads the manifest first.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from slipway_pods import beneath
from slipway_pods.store import places
from slipway_runtime import strict

FILE_NAME = "_manifest.json"
MAX_FILES = 100_000
"""Most files of an output or a checkpoint."""
MAX_BYTES = 64 * 1024 * 1024
"""Longest manifest that is read; one of 100,000 files has about 20 MB."""
MAX_VALUES = 2_000_000
"""Most values of a manifest, or of a record that lists the same files: together they take 500 MB at
most, and those of 100,000 files a tenth of it."""
MAX_SIZE = 2**50
"""Largest file, in bytes."""
MAX_SKIPPED = 100
"""Most things that a manifest names of those that were left out."""
BLOCK = 1024 * 1024
"""How much of a file is read at a time, in bytes."""
_HEX = frozenset("0123456789abcdef")


class OutputError(Exception):
    """The output, or its manifest, cannot be used; the text is one sentence that says why."""


@dataclass(frozen=True)
class OutputFile:
    """One file: its path under the output, with slashes, its size in bytes and its digest."""

    path: str
    size: int
    sha256: str

    @classmethod
    def parse(cls, entry: Any) -> "OutputFile":
        """Return a file as a manifest names it; raises ValueError for an entry that is wrong."""
        fields = strict.Fields(entry, "a file")
        path = places.check_path(fields.text("path", places.MAX_PATH_BYTES))
        sha256 = fields.text("sha256", 64)
        if len(sha256) != 64 or not set(sha256) <= _HEX:
            raise ValueError(f"sha256 of {path!r} is no digest")
        return cls(path, fields.integer("sizeBytes", 0, MAX_SIZE), sha256)

    def entry(self) -> dict[str, Any]:
        """Return the file as a manifest names it."""
        return {"path": self.path, "sizeBytes": self.size, "sha256": self.sha256}


@dataclass(frozen=True)
class Skipped:
    """Something that was left out: its path under the output, and why, as the end of a sentence."""

    path: str
    why: str


@dataclass(frozen=True)
class Contents:
    """What a manifest says."""

    files: tuple[OutputFile, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def size(self) -> int:
        """Size of all files in bytes."""
        return sum(file.size for file in self.files)


def digest(path: Path) -> str:
    """Return a file's SHA-256 in lower-case hexadecimal, in constant memory."""
    with path.open("rb") as stream:
        return stream_digest(stream)


def stream_digest(stream: IO[bytes]) -> str:
    """Return the SHA-256 of an opened file, from its beginning to its end."""
    stream.seek(0)
    found = hashlib.sha256()
    while block := stream.read(BLOCK):
        found.update(block)
    return found.hexdigest()


def find(folder: beneath.Folder) -> tuple[list[beneath.Entry], list[Skipped]]:
    """Return the regular files under a folder, sorted by path, and what is there besides them.

    A link stands for the file that it leads to inside the folder: what lies outside of it is not
    output, and may be nobody's business. Raises OutputError for what would be lost: a file or a
    folder that cannot be read, and a name that cannot be a key in the store.
    """
    files: list[beneath.Entry] = []
    skipped: list[Skipped] = []
    for entry in folder.walk():
        _check_name(entry)
        if entry.path == FILE_NAME:
            skipped.append(Skipped(FILE_NAME, "the store's own manifest has this name"))
        elif entry.problem:
            skipped.append(Skipped(entry.path, entry.problem))
        else:
            files.append(entry)
        if len(files) + len(skipped) > MAX_FILES:
            raise OutputError(
                f"The output has more than {MAX_FILES} files: put them into an archive."
            )
    return sorted(files, key=lambda file: file.path), skipped


def _check_name(entry: beneath.Entry) -> None:
    if entry.lost:
        raise OutputError(f"The output has {entry.path!r}, but {entry.problem}.")
    try:
        places.check_path(entry.path)
    except ValueError as error:
        raise OutputError(
            f"The output has {entry.path[:200]!r}, whose name cannot be stored: {error}."
        ) from error


def encode(contents: Contents) -> bytes:
    """Return a manifest as it is stored."""
    found: dict[str, Any] = {"files": [file.entry() for file in contents.files]}
    if contents.skipped:
        found["skipped"] = [vars(one) for one in contents.skipped[:MAX_SKIPPED]]
    return json.dumps(found, indent=1).encode() + b"\n"


def decode(data: bytes) -> dict[str, OutputFile]:
    """Return the files of a stored manifest by path; raises OutputError where it is broken."""
    try:
        fields = strict.Fields(strict.loads(data, MAX_BYTES, MAX_VALUES), "the manifest")
        files = parse_files(fields.items("files", MAX_FILES))
    except ValueError as error:
        raise OutputError(f"The output's {FILE_NAME} is broken ({error}).") from error
    return {file.path: file for file in files}


def parse_files(entries: Iterable[Any]) -> list[OutputFile]:
    """Return the files that a manifest lists; raises ValueError for the first that is wrong."""
    return [OutputFile.parse(entry) for entry in entries]
