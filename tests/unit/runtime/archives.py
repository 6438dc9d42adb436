"""Archives that are broken, or meant to do harm."""

import io
import struct
import zipfile
from collections.abc import Mapping

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
"""How the headers of a zip's entries begin, in front of each and in the list, and its end."""


def damaged_zip(data: bytes, damage: str) -> bytes:
    """Return a zip of one entry, said to be encrypted or compressed otherwise, or with its content
    overwritten.

    Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
    """
    changed = bytearray(data)
    if damage == "content":
        name, extra = struct.unpack_from("<HH", changed, 26)
        begin = 30 + name + extra
        changed[begin : begin + 8] = b"\xff" * 8
        return bytes(changed)
    central = data.index(CENTRAL)
    for flags in (6, central + 8):
        if damage == "encrypted":
            changed[flags] |= 1
        else:
            changed[flags + 2] = 9
    return bytes(changed)


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return an honest zip of some files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as made:
        for name, content in files.items():
            made.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def streamed(files: Mapping[str, bytes]) -> bytes:
    """Return an honest zip whose files are followed by their sizes, as ``jar`` writes them."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return pipe.getvalue()


def parted(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the files of a zip, its list of contents, and its end."""
    end = data.rindex(END)
    size, place = struct.unpack_from("<II", data, end + 12)
    return data[:place], data[place : place + size], data[end:]


def moved(listed: bytes, by: int) -> bytes:
    """Return a list of contents whose files lie elsewhere."""
    changed, at = bytearray(listed), 0
    while at < len(listed):
        (offset,) = struct.unpack_from("<I", changed, at + 42)
        struct.pack_into("<I", changed, at + 42, offset + by)
        at += 46 + sum(struct.unpack_from("<HHH", changed, at + 28))
    return bytes(changed)


def ended(end: bytes, count: int, size: int, place: int, comment: bytes = b"") -> bytes:
    """Return a zip's end that says other numbers."""
    head = struct.pack("<HHIIH", count, count, size, place, len(comment))
    return end[:8] + head + comment


def two_lists(to_python: bytes, to_torch: bytes) -> bytes:
    """Return a zip that is the one zip to Python, and the other to who believes its end.

    Both have as many files, and as long names.
    """
    files, listed, end = parted(to_torch)
    other, other_list, _ = parted(to_python)
    assert len(listed) == len(other_list)
    assert len(files) >= len(other)
    return files + listed + other + moved(other_list, len(files) - len(other)) + end


def unlisted(data: bytes, hidden: bytes) -> bytes:
    """Return a zip with files that only a reader without its list sees."""
    files, listed, end = parted(data)
    more = parted(hidden)[0]
    count = struct.unpack_from("<H", end, 10)[0]
    return files + more + listed + ended(end, count, len(listed), len(files + more))


def misnamed(data: bytes, name: bytes, other: bytes) -> bytes:
    """Return a zip whose list has another name than stands before the file."""
    files, listed, end = parted(data)
    return files + listed.replace(name, other) + end
