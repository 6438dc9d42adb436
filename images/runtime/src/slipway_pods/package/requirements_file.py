"""A user's requirements file, read strictly and written anew for pip.

pip would run code of what a line may name: a folder, a version control URL, a source distribution,
an editable package. None of that gets through. Format:
https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

import codecs
import re
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement

MAX_BYTES = 1024 * 1024
MAX_LINES = 5000
PLACES = {"-i": "--index-url", "-f": "--find-links"}
"""Options with a place behind them, in their short form."""
INDEXES = ("--index-url", "--extra-index-url")
FLAGS = ("--no-index", "--pre", "--prefer-binary", "--require-hashes")
"""Options without a value that mean the same for wheels."""
ARCHIVES = (".zip", ".whl", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".tar.lzma")
"""Endings by which pip takes a name for a file."""
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})\Z")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$")
_CONTINUED = re.compile(r"\\\r?\n")


class RequirementsError(Exception):
    """A line is none that can be installed from wheels; the text says which and what to write."""


def parse(file: BinaryIO, folder: Path) -> str:
    """Return a requirements file that pip reads as this one, of plain lines alone.

    Relative paths of wheels, and of folders with wheels, are those beneath ``folder``, and become
    absolute. Raises RequirementsError.
    """
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise RequirementsError(f"it is longer than {MAX_BYTES} bytes.")
    try:
        text = _text(data)
    except UnicodeDecodeError as error:
        raise RequirementsError("it is no UTF-8 text.") from error
    lines = _CONTINUED.sub(" ", text).splitlines()
    if len(lines) > MAX_LINES:
        raise RequirementsError(f"it has more than {MAX_LINES} lines.")
    return "".join(f"{line}\n" for line in _lines(lines, folder))


def _text(data: bytes) -> str:
    """Return a file's text; as pip, by its byte order mark, which Windows' programs write.

    PowerShell's ``pip freeze > FILE`` gives UTF-16. Raises UnicodeDecodeError.
    """
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if wide else "utf-8-sig")


def _lines(lines: list[str], folder: Path) -> Iterator[str]:
    for line in lines:
        content = _COMMENT.sub("", line).strip()
        if not content:
            continue
        try:
            yield _option(content, folder) if content.startswith("-") else _package(content, folder)
        except ValueError as error:
            raise RequirementsError(
                f"the line {content[:120]!r} cannot be installed from wheels: {error}. Or have pip "
                "install the file in each server pod, by package.installRequirements: AtStart."
            ) from error


def _option(line: str, folder: Path) -> str:
    words = shlex.split(line.replace("=", " ", 1) if line.startswith("--") else line)
    name = PLACES.get(words[0], words[0])
    if name in FLAGS and len(words) == 1:
        return name
    if name == "--find-links" and len(words) == 2 and "://" not in words[1]:
        return f"{name} {_beneath(folder, words[1])}"
    if name in (*INDEXES, "--find-links") and len(words) == 2:
        return f"{name} {_url(words[1])}"
    allowed = ", ".join((*INDEXES, "--find-links", *FLAGS))
    raise ValueError(f"write packages, wheels, and of the options {allowed} only")


def _package(line: str, folder: Path) -> str:
    content, *options = re.split(r"\s(?=--)", line)
    hashes = [_hash(option.strip().replace(" ", "=", 1)) for option in options]
    return " ".join([_wanted(content.strip(), folder), *hashes])


def _hash(option: str) -> str:
    if not _HASH.match(option):
        raise ValueError("behind a package only --hash=sha256:... may stand")
    return option


def _wanted(content: str, folder: Path) -> str:
    """Return a package by name, or by the place of its wheel."""
    place, separator, marker = content.partition(" ;")
    if place.strip().endswith(".whl") and " @ " not in place and "://" not in place:
        return f"{_beneath(folder, place.strip())}{separator}{_marker(marker)}"
    if "://" in content and " @ " not in content:
        return _wheel_url(content)
    try:
        found = Requirement(content)
    except InvalidRequirement as error:
        raise ValueError("it is neither NAME==VERSION nor the place of a wheel") from error
    if found.url is not None:
        found.url = _wheel_url(found.url)
    elif found.name.lower().endswith(ARCHIVES):
        raise ValueError("a source distribution would run its own code; name a wheel")
    return str(found)


def _marker(text: str) -> str:
    """Return an environment marker as `packaging` writes it; empty for none."""
    return f" {Requirement(f'x;{text}').marker}" if text.strip() else ""


def _wheel_url(url: str) -> str:
    if not urlsplit(_url(url)).path.endswith(".whl"):
        raise ValueError("the URL must be a wheel's, and end with .whl")
    return url


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isascii():
        raise ValueError("the URL must begin with https:// or http://")
    if not text.isprintable() or " " in text or "$" in text:
        raise ValueError("the URL has blanks, variables or characters that cannot be printed")
    return text


def _beneath(folder: Path, name: str) -> Path:
    """Return what a relative path names beneath a folder; raises ValueError for what is not."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or not name.isprintable() or " " in name:
        raise ValueError("write a relative path, without '..' and blanks, of package.extraFiles")
    path = folder.joinpath(*parts)
    if not path.exists():
        raise ValueError("there is no such file or folder among package.extraFiles")
    return path
