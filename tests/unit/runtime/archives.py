"""Archives that are broken, or meant to do harm."""

import struct

LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
"""How the headers of a zip's entries begin, in front of each and in the list at the end."""


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
