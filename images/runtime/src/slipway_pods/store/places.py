"""Which URIs and paths name a place beneath another one, and nothing else.

Whatever a user, a script, an archive or a server says is checked here before it becomes a key, a
URI or a path. The same rules hold in the operator; `tests/uris.json` has the cases for both.
"""

import re
from urllib.parse import unquote, urlsplit

MAX_URI_BYTES = 4096
MAX_PATH_BYTES = 1024
"""Longest key that S3 takes."""
_WEB = ("http", "https")
_SCHEME = re.compile(r"[a-z][a-z0-9]*")


def check_uri(uri: str) -> str:
    """Return a URI that names one place; raises ValueError, with a sentence, for any other.

    Its path has no empty part and no ``.`` or ``..``, also written as ``%2e`` and the like, and no
    control character. One slash at the end marks a folder. An HTTP server's own paths may have
    empty parts, and its query is not looked at.
    """
    scheme, _, rest = uri.partition("://")
    if (
        not rest
        or not _SCHEME.fullmatch(scheme)
        or len(uri.encode("utf-8", "replace")) > MAX_URI_BYTES
    ):
        raise ValueError(f"write a URI such as s3://bucket/folder of {MAX_URI_BYTES} bytes at most")
    _check_characters(uri)
    if scheme in _WEB:
        _check_parts([part for part in _parts(urlsplit(uri).path) if part])
    else:
        _check_parts(_parts(rest.removesuffix("/")))
    return uri


def check_path(path: str) -> str:
    """Return a path beneath a folder, with slashes; raises ValueError, with a sentence."""
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise ValueError("write a name in UTF-8") from None
    if size > MAX_PATH_BYTES:
        raise ValueError(f"write a path of {MAX_PATH_BYTES} bytes at most")
    _check_characters(path)
    _check_parts(_parts(path))
    return path


def is_path(path: str) -> bool:
    """Tell whether a text is a path beneath a folder."""
    try:
        check_path(path)
    except ValueError:
        return False
    return True


def _parts(path: str) -> list[str]:
    """Return a path's parts, percent-encoded slashes taken for what they may become."""
    return _decoded(path).split("/")


def _decoded(text: str) -> str:
    """Return a text that nobody can decode any further."""
    while (plain := unquote(text)) != text:
        text = plain
    return text


def _check_parts(parts: list[str]) -> None:
    if not all(parts):
        raise ValueError("write a path without empty parts")
    if not {".", ".."}.isdisjoint(parts):
        raise ValueError("write a path without the parts '.' and '..'")


def _check_characters(text: str) -> None:
    if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in _decoded(text)):
        raise ValueError("write a path without control characters")
