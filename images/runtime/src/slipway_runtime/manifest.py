"""What a training job's output consists of: ``_manifest.json``, which is written last.

Its shape: ``{"files": [{"path": str, "sizeBytes": int, "sha256": hex}]}``, sorted by path. An
output without it is not complete: whoever reads an output reads the manifest first.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

FILE_NAME = "_manifest.json"


class OutputError(Exception):
    """The output, or its manifest, cannot be used; the text is one sentence that says why."""


@dataclass(frozen=True)
class OutputFile:
    """One file: its path under the output, with slashes, its size in bytes and its digest."""

    path: str
    size: int
    sha256: str


def digest(path: Path) -> str:
    """Return a file's SHA-256 in lower-case hexadecimal, in constant memory."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def scan(folder: Path) -> list[OutputFile]:
    """Return the regular files under a folder, sorted by path.

    A link is followed only to a file inside the folder: what lies outside of it is not output, and
    may be nobody's business. Sockets, pipes and devices are left out. Raises OutputError for a name
    that cannot be a key in the store.
    """
    found = []
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in names:
            path = Path(root, name)
            if _is_output(path, folder):
                found.append(_describe(path, folder))
    return sorted(found, key=lambda file: file.path)


def encode(files: list[OutputFile]) -> bytes:
    """Return a manifest as it is stored."""
    entries = [{"path": file.path, "sizeBytes": file.size, "sha256": file.sha256} for file in files]
    return json.dumps({"files": entries}, indent=1).encode() + b"\n"


def decode(data: bytes) -> dict[str, OutputFile]:
    """Return the files of a stored manifest by path; raises OutputError where it is broken."""
    try:
        entries = json.loads(data)["files"]
        files = [
            OutputFile(str(entry["path"]), int(entry["sizeBytes"]), str(entry["sha256"]))
            for entry in entries
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"The output's {FILE_NAME} is broken ({error!r}).") from error
    return {file.path: file for file in files}


def _is_output(path: Path, folder: Path) -> bool:
    real = path.resolve()
    if not real.is_relative_to(folder.resolve()) or not real.is_file():
        return False
    return path != folder / FILE_NAME


def _describe(path: Path, folder: Path) -> OutputFile:
    name = PurePosixPath(path.relative_to(folder)).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise OutputError(f"The output file {name!r} has a name that is no UTF-8.") from error
    return OutputFile(name, path.stat().st_size, digest(path))
