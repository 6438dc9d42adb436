"""Unpacking a tar or zip archive into a folder, and nowhere else."""

import shutil
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

EXECUTABLE = 0o111


class ArchiveError(Exception):
    """The file is no archive that can be unpacked; the text is one sentence that says why."""


def unpack(path: Path, folder: Path) -> None:
    """Unpack ``.zip`` or ``.tar``, plain or compressed by gzip, bzip2 or xz, by its content.

    Links that lead out of it, devices and the like are left out. Raises ArchiveError for a name
    that leads out of the folder, and for a file that is broken or of another kind.
    """
    try:
        if zipfile.is_zipfile(path):
            _unpack_zip(path, folder)
        else:
            _unpack_tar(path, folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, KeyError, NotImplementedError) as error:
        raise ArchiveError(
            f"The archive cannot be unpacked ({error}): make a .tar, .tar.gz or .zip."
        ) from error


def _unpack_zip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                with archive.open(member) as content:
                    executable = bool(member.external_attr >> 16 & EXECUTABLE)
                    _write(content, _target(folder, member.filename), executable=executable)


def _unpack_tar(path: Path, folder: Path) -> None:
    """Write the files first and the links last, so that nothing is written through a link."""
    links: list[tuple[Path, str]] = []
    with tarfile.open(path) as archive:
        for member in archive:
            if member.issym():
                links.append((_target(folder, member.name), member.linkname))
            elif member.isreg() or member.islnk():
                content = archive.extractfile(member)
                if content is not None:
                    executable = bool(member.mode & EXECUTABLE)
                    _write(content, _target(folder, member.name), executable=executable)
    for link, target in links:
        _link(link, target, folder)


def _link(link: Path, target: str, folder: Path) -> None:
    """Make a link, unless something is there or it would lead out of the folder."""
    inside = (link.parent / target).resolve().is_relative_to(folder.resolve())
    if inside and link.parent.resolve().is_relative_to(folder.resolve()) and not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)


def _target(folder: Path, name: str) -> Path:
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or "\0" in name:
        raise ArchiveError(
            f"The archive has a file {name!r}, which leads out of it: make it again with relative "
            "names."
        )
    return folder / inside


def _write(content: IO[bytes], target: Path, *, executable: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(content, file)
    if executable:
        target.chmod(0o755)
