"""A reproducible ``.mar``: the same files give the same bytes, whenever and wherever it is made.

torch-model-archiver makes the archive. Then it is written anew: entries sorted by name, stored
without compression (so no zlib has a say), with fixed times and permissions, and a fixed
``createdOn`` in the manifest.
"""

import contextlib
import json
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from model_archiver import ModelArchiver, ModelArchiverConfig
from model_archiver.model_archiver_error import ModelArchiverError
from model_archiver.model_packaging_utils import model_handlers

from slipway_runtime.checks import one_reading

if TYPE_CHECKING:
    from slipway_pods.package.requirements import Installed

MANIFEST = "MAR-INF/MANIFEST.json"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""
CREATED_ON = "01/01/1980 00:00:00"
MODE = stat.S_IFREG | 0o644
TORCHSERVE_HANDLERS = tuple(sorted(model_handlers))


class ArchiveError(Exception):
    """The files make no archive; the text is one sentence that says why."""


@dataclass(frozen=True)
class Contents:
    """What an archive is made of: local files, and the handler's file or built-in name.

    ``function`` is the one in the handler's file that TorchServe calls; None for its own rule.
    ``extra`` is a folder whose entries go to the archive's root, as they are. ``weights_place`` is
    where the serialized file is among them, so that it is in the archive once; None where it is
    not, and goes to the root. The packages that are ``installed`` go to the root too.
    """

    model_name: str
    model_version: str
    serialized_file: Path
    handler: Path | str
    model_file: Path | None = None
    extra: Path | None = None
    requirements_file: Path | None = None
    config_file: Path | None = None
    function: str | None = None
    weights_place: str | None = None
    installed: "Installed | None" = None

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders whose entries go to the archive's root."""
        found = (self.extra, self.installed.folder if self.installed else None)
        return tuple(folder for folder in found if folder is not None)


def build(contents: Contents, folder: Path) -> Path:
    """Make the archive in an existing folder, and return its path.

    Raises ArchiveError where two files want the same name, a name is none to some servers, or
    torch-model-archiver refuses; OSError where the disk does. Needs about twice the files' size
    beside them while it works.
    """
    check_names(contents)
    with _scratch(folder) as scratch:
        raw = _archive(contents, scratch)
        target = folder / f"{contents.model_name}.mar"
        rewrite(raw, target, contents.function, contents.weights_place)
    _check_reading(target)
    return target


def _check_reading(archive: Path) -> None:
    """Raise ArchiveError where servers would see other files in an archive than are in it."""
    try:
        with archive.open("rb") as file:
            one_reading.check(file)
    except one_reading.TwoReadingsError as error:
        raise ArchiveError(
            f"Not every server would find the package's files in an archive ({error}): rename "
            "them, or package fewer."
        ) from error


def check_names(contents: Contents) -> None:
    """Raise ArchiveError where two files would have the same name in the archive."""
    named = (
        _flat_weights(contents),
        contents.handler,
        contents.model_file,
        contents.requirements_file,
        contents.config_file,
    )
    # A set, since one file may have two parts, such as a handler that defines the model too.
    names = ["MAR-INF", *(path.name for path in {p for p in named if isinstance(p, Path)})]
    names += [path.name for folder in contents.folders for path in folder.iterdir()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ArchiveError(
            f"Two files of the package have the name {twice[0]!r}, and both go to the archive's "
            "first level: rename one of them."
        )


def _flat_weights(contents: Contents) -> Path | None:
    """Return the serialized file where it goes to the archive's root."""
    return contents.serialized_file if contents.weights_place is None else None


def add(archive: Path, name: str, content: bytes) -> None:
    """Add an entry behind all others; the same archive and content give the same bytes."""
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_STORED) as bundle:
        bundle.writestr(_entry(name), content)


def rewrite(
    raw: Path, target: Path, function: str | None = None, weights: str | None = None
) -> None:
    """Write a zip anew so that its bytes follow from its contents alone.

    Its manifest names what torch-model-archiver cannot name: the handler's ``function``, which it
    takes only of a handler that is named without its ``.py``, and ``weights`` in a folder.
    """
    with zipfile.ZipFile(raw) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for entry in sorted(old.infolist(), key=lambda entry: entry.filename):
            if entry.filename == MANIFEST:
                new.writestr(_entry(MANIFEST), _fixed_manifest(old.read(entry), function, weights))
                continue
            with old.open(entry) as source, new.open(_entry(entry.filename, entry), "w") as copy:
                shutil.copyfileobj(source, copy, 1024 * 1024)


def model_size(archive: Path) -> int:
    """Return the size of the model's file in an archive that was made here, in bytes."""
    with zipfile.ZipFile(archive) as bundle:
        named = json.loads(bundle.read(MANIFEST))["model"]["serializedFile"]
        return bundle.getinfo(named).file_size


def swap_model(archive: Path, target: Path, model: Path) -> None:
    """Write an archive that was made here with another file for its model.

    It takes the earlier one's place and name, but for the end, which is its own. Raises
    ArchiveError where another file has that name.
    """
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        manifest = json.loads(old.read(MANIFEST))
        before = manifest["model"]["serializedFile"]
        after = str(PurePosixPath(before).with_suffix(model.suffix))
        names = {after if name == before else name: name for name in old.namelist()}
        if len(names) != len(old.namelist()):
            raise ArchiveError(
                f"The optimized model is to be {after!r}: rename the file of that name."
            )
        manifest["model"]["serializedFile"] = after
        for name in sorted(names):
            if name == MANIFEST:
                new.writestr(_entry(MANIFEST), json.dumps(manifest, indent=2).encode())
                continue
            entry = old.getinfo(names[name])
            opened = model.open("rb") if name == after else old.open(entry)
            sized = None if name == after else entry
            with opened as source, new.open(_entry(name, sized), "w", force_zip64=True) as copy:
                shutil.copyfileobj(source, copy, 1024 * 1024)


def _entry(name: str, old: zipfile.ZipInfo | None = None) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.create_system = 3  # Unix, wherever it is made
    entry.external_attr = MODE << 16
    entry.compress_type = zipfile.ZIP_STORED
    if old is not None:
        entry.file_size = old.file_size
    return entry


def _fixed_manifest(data: bytes, function: str | None, weights: str | None) -> bytes:
    manifest = json.loads(data)
    if weights is not None:
        manifest["model"]["serializedFile"] = weights
    if function is not None:
        manifest["model"]["handler"] += f":{function}"
    manifest["createdOn"] = CREATED_ON
    return json.dumps(manifest, indent=2).encode()


def _archive(contents: Contents, scratch: Path) -> Path:
    config = ModelArchiverConfig(
        model_name=contents.model_name,
        version=contents.model_version,
        serialized_file=_text(_flat_weights(contents)),
        handler=str(contents.handler),
        model_file=_text(contents.model_file),
        extra_files=",".join(map(str, contents.folders)) or None,
        requirements_file=_text(contents.requirements_file),
        config_file=_text(contents.config_file),
        export_path=str(scratch),
        archive_format="zip-store",
    )
    try:
        ModelArchiver.generate_model_archive(config)
    except (ModelArchiverError, ValueError) as error:
        raise ArchiveError(f"torch-model-archiver refuses the package: {error}") from error
    return scratch / f"{contents.model_name}.mar"


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Give a folder of its own to torch-model-archiver, which empties ``tempdir/MODEL_NAME``."""
    before: Any = tempfile.tempdir
    with tempfile.TemporaryDirectory(dir=folder) as made:
        inside = Path(made, "tmp")
        inside.mkdir()
        tempfile.tempdir = str(inside)
        try:
            yield Path(made)
        finally:
            tempfile.tempdir = before
