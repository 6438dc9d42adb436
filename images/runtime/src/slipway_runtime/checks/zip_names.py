"""Names of files in a zip file, each as its readers may take it."""

from __future__ import annotations

import struct

UNICODE_NAME = 0x7075
"""What a field begins with that has a name in UTF-8 beside the other."""


class TwoReadingsError(ValueError):
    """A zip file says different things to its readers, or nothing; the text ends a sentence."""


def more_fields(data: bytes) -> dict[int, bytes]:
    """Return the fields of a header by their numbers; raises TwoReadingsError for broken ones.

    Behind the last there may be three bytes, by which some writers align what follows.
    """
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        number, length = struct.unpack_from("<2H", data, at)
        at += 4 + length
        if at > len(data) or number in found:
            raise TwoReadingsError("a header in it has a broken field, or one twice")
        found[number] = data[at - length : at]
    return found


def names(name: bytes, *, is_utf8: bool) -> set[str]:
    """Return all that readers may take a name for, as the paths that they would unpack it to.

    One that is not ASCII, and not said to be UTF-8, is cp437 to Python and UTF-8 to Java.
    Raises TwoReadingsError for one that leads out of the folder, or that some readers cut or turn.
    """
    parts = name.split(b"/")
    if b"\0" in name or b"\\" in name or name.startswith(b"/") or b".." in parts:
        raise TwoReadingsError(f"{name!r:.200} is no name within it")
    path = b"/".join(part for part in parts if part not in (b"", b"."))
    try:
        text = path.decode("utf-8", "strict" if is_utf8 else "surrogateescape")
    except UnicodeDecodeError:
        raise TwoReadingsError(f"{name!r:.200} is not UTF-8, as is said") from None
    return {text} if is_utf8 else {text, path.decode("cp437")}


def other_name(name: bytes, more: dict[int, bytes]) -> bytes:
    """Return the name that the fields of a header tell besides; the same name where they do not.

    Newer readers take it in place of the other, which older writers left in their own characters.
    Raises TwoReadingsError where one of both is ASCII, and so needed no other.
    """
    if UNICODE_NAME not in more:
        return name
    other = more[UNICODE_NAME][5:]
    if other != name and (name.isascii() or other.isascii()):
        raise TwoReadingsError(f"{name!r:.200} has another name")
    return other
