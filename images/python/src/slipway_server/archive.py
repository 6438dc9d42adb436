"""Reading a `.mar` archive: a zip file with a manifest, or a folder with the same content.

Format: MAR-INF/MANIFEST.json as torch-model-archiver 0.12 writes it
(https://github.com/pytorch/serve/blob/master/model-archiver/README.md). The archive may come from
anybody: names that lead out of its folder, links, and more than `Limits` allows are refused before
a byte of the model's code runs.
"""

import json
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from slipway_server.errors import ArchiveError

MANIFEST = "MAR-INF/MANIFEST.json"
_CHUNK = 1 << 20
"""How much of a file is unpacked at a time, in bytes."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""A model's name and version: they stand in paths."""
_NAME_BYTES, _PATH_BYTES = 255, 2048
"""Longest name of a file, and longest path in an archive: what file systems take."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNREADABLE = (
    zipfile.BadZipFile,
    NotImplementedError,
    EOFError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What `zipfile` raises for files that are no archives, or whose content is encrypted or broken."""


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold: files, and bytes when unpacked."""

    files: int = 20_000
    total_bytes: int = 64 << 30
    manifest_bytes: int = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """What an archive says of its model; file names are within the archive, "" for none."""

    model_name: str
    model_version: str
    handler: str
    model_file: str = ""
    serialized_file: str = ""
    config_file: str = ""
    requirements_file: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: bytes) -> "Manifest":
        """Return what a manifest says; raises ``ArchiveError`` where it is none."""
        try:
            raw = json.loads(text)
            model = raw["model"]
            known = {name: _text(model, key) for name, key in _FIELDS.items()}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ArchiveError(f"{MANIFEST} is no manifest: {error!r}.") from None
        manifest = cls(**known, raw=raw)
        for name in (manifest.model_name, manifest.model_version):
            if not _NAME.fullmatch(name):
                raise ArchiveError(
                    f"{MANIFEST}: the model's name and version are letters, digits, '.', '_' and "
                    f"'-', at most 128 of them: {name[:140]!r} is not."
                )
        if not manifest.handler:
            raise ArchiveError(f"{MANIFEST} names no handler.")
        return manifest


_FIELDS = {
    "model_name": "modelName",
    "model_version": "modelVersion",
    "handler": "handler",
    "model_file": "modelFile",
    "serialized_file": "serializedFile",
    "config_file": "configFile",
    "requirements_file": "requirementsFile",
}


def _text(model: Mapping[str, Any], key: str) -> str:
    value = model.get(key) or ""
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value


def read(folder: Path, limits: Limits = Limits()) -> Manifest:
    """Return the manifest of an unpacked archive."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ArchiveError(f"There is no {MANIFEST} in {folder.name}.")
    with path.open("rb") as file:
        text = file.read(limits.manifest_bytes + 1)
    if len(text) > limits.manifest_bytes:
        raise ArchiveError(f"{MANIFEST} is longer than {limits.manifest_bytes} bytes.")
    return Manifest.parse(text)


def unpack(archive: Path, into: Path, limits: Limits = Limits()) -> Manifest:
    """Unpack an archive into an empty folder, and return its manifest.

    Raises ``ArchiveError`` where it is no archive, or one that is not to be trusted.
    """
    try:
        with zipfile.ZipFile(archive) as bundle:
            entries = bundle.infolist()
            _check(entries, limits)
            left = limits.total_bytes
            for entry in entries:
                if not entry.is_dir():
                    left -= _extract(bundle, entry, into / entry.filename, left)
    except _UNREADABLE as error:
        raise ArchiveError(f"{archive.name} is no archive: {error}.") from None
    return read(into, limits)


def _check(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(entries) > limits.files:
        raise ArchiveError(f"The archive has {len(entries)} files, more than {limits.files}.")
    if sum(entry.file_size for entry in entries) > limits.total_bytes:
        raise ArchiveError(f"The archive unpacks to more than {limits.total_bytes} bytes.")
    seen: set[str] = set()
    for entry in entries:
        _check_entry(entry)
        path = str(PurePosixPath(entry.filename))
        if path in seen:
            raise ArchiveError(f"The archive has {path!r} twice.")
        seen.add(path)
    files = {str(PurePosixPath(entry.filename)) for entry in entries if not entry.is_dir()}
    for name in sorted(seen):
        for folder in map(str, PurePosixPath(name).parents):
            if folder in files:
                raise ArchiveError(f"The archive's {folder!r:.200} is a file and a folder.")


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in entry.orig_filename:
        raise ArchiveError(f"The archive's file {name!r} lies outside of it.")
    text = name.encode("utf-8", "replace")
    if len(text) > _PATH_BYTES or max(map(len, text.split(b"/"))) > _NAME_BYTES:
        raise ArchiveError(f"The archive's file {name!r:.200} has too long a name.")
    if entry.compress_type not in _METHODS:
        raise ArchiveError(f"The archive's {name!r} is compressed by another method than deflate.")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError(f"The archive's {name!r} is a link or a device, not a file.")


def _extract(bundle: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, most: int) -> int:
    """Write one file, at most ``most`` bytes of it; return how many it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with bundle.open(entry) as source, path.open("xb") as target:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > most:
                raise ArchiveError("The archive unpacks to more than it says.")
            target.write(chunk)
    return written


def checked_name(name: str) -> str:
    """Return a model's name; raises ``ArchiveError`` for one that no URL can have."""
    if not _NAME.fullmatch(name):
        raise ArchiveError(f"{name!r:.200} is no name of a model.")
    return name


def place(source: Path, scratch: Path, limits: Limits = Limits()) -> tuple[Path, Manifest]:
    """Return the folder of an archive's files, and its manifest.

    A folder is served where it lies; a file is unpacked into ``scratch``.
    """
    if source.is_dir():
        return source, read(source, limits)
    if not source.is_file():
        raise ArchiveError(f"There is no archive at {source}.")
    folder = scratch / "model"
    folder.mkdir()
    try:
        return folder, unpack(source, folder, limits)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
