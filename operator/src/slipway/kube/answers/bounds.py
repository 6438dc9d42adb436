"""JSON of the API server's, without what is too large or too deep to be read.

Parts of a TrainingJob's and a ModelDeployment's spec are kept as they were written (podTemplate,
affinity): the API server takes 1.5 MB of them, in 10,000 levels. Python's parsers end with an error
at the depth, and need 25 times the size in memory: one object could so keep all others from being
read, and ten of them end the operator.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from slipway.manifests import UNREADABLE

MOST_BYTES = 256 << 10
"""Longest part of an object that is read, as JSON in bytes: its spec, or a field of its metadata.
Of the latter the API server itself takes no longer annotations."""
MOST_LEVELS = 100
"""Most levels of lists and objects in such a part."""
_FEW = 150
"""So few lists and objects cannot be too deep."""
_LIGHT_CONTAINERS, _LIGHT_VALUES = 100_000, 400_000
"""So many lists and objects, and values in them, have some 40 MiB at most in Python."""
_SHORT_BYTES = MOST_BYTES // 8
"""An object that Python writes as shortly has no part that is too long in any other writing."""
_STRING = r'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(rf"{_STRING}|[][{{}}]".encode())
_LEAF = rf'(?:[^][{{}}"]++|{_STRING})'
"""Whatever is no list and no object."""


def _shallow(levels: int) -> str:
    """Return the pattern of a list or an object of so many levels at most."""
    inner = f"{_LEAF}|{_shallow(levels - 1)}" if levels > 1 else _LEAF
    return rf"[\[{{](?:{inner})*+[\]}}]"


_SHALLOW_LEVELS = 3
_INNER_TOKEN = re.compile(rf"(?:{_LEAF}|{_shallow(_SHALLOW_LEVELS)})++|[][{{}}]".encode())
"""Within a part only its end and its depth are looked for: what is shallow is taken at once."""
_OPENING, _CLOSING = (b"{", b"["), (b"}", b"]")


class Part(NamedTuple):
    """A part that is too long or too deep: its place in the text, and what is put there."""

    begin: int
    end: int
    instead: bytes


async def parsed(text: bytes) -> Any:
    """Return JSON within bounds as Python's values; raises ValueError for what is none.

    What takes long runs in a thread, so that the loop goes on.
    """
    if is_light(text):
        with contextlib.suppress(ValueError):
            found = from_json(text, cache_strings="all")
            if len(text) <= MOST_BYTES or all(map(_is_short, _objects(found))):
                return found
    return from_json(await bounded(text), cache_strings="all")


async def parsed_if_light(text: bytes) -> Any:
    """Return JSON as `parsed` does, but however long its parts are where they are few values.

    So are all that the operator makes of an object within bounds; raises ValueError for no JSON.
    """
    light = text if is_light(text) else await asyncio.to_thread(lightened, text)
    return from_json(light, cache_strings="all")


def is_few(text: bytes) -> bool:
    """Tell whether a text is short and has so few lists and objects that any parser reads it."""
    return len(text) <= MOST_BYTES and text.count(b"{") + text.count(b"[") <= _FEW


def is_light(text: bytes) -> bool:
    """Tell whether a text may be parsed as a whole."""
    containers = text.count(b"{") + text.count(b"[")
    return containers <= _LIGHT_CONTAINERS and text.count(b",") <= _LIGHT_VALUES


def _is_short(obj: Any) -> bool:
    return len(to_json(obj)) <= _SHORT_BYTES


def _objects(found: Any) -> list[Any]:
    """Return the objects in a list or in an event of a watch, or the one that this is."""
    inner = found.get("items", found.get("object")) if isinstance(found, dict) else None
    return inner if isinstance(inner, list) else [inner or found]


async def bounded(text: bytes) -> bytes:
    """Return an object, an event of a watch or a list, as JSON that can be read."""
    return text if is_readable(text) else await asyncio.to_thread(lightened, text)


def is_readable(text: bytes) -> bool:
    """Tell whether a text is short, and not too deep for a parser."""
    if len(text) > MOST_BYTES:
        return False
    if is_few(text):
        return True
    try:
        from_json(text)
    except ValueError:
        return False
    return True


def lightened(text: bytes) -> bytes:
    """Return a text without what is too long or too deep of the objects in it.

    A spec has the field ``unreadable`` instead, and a field of the metadata is empty.
    """
    pieces, kept = [], 0
    for part in _parts(text):
        pieces += [text[kept : part.begin], part.instead]
        kept = part.end
    return b"".join((*pieces, text[kept:]))


def _parts(text: bytes) -> Iterator[Part]:
    """Yield the parts that are left out, in order."""
    path: list[bytes] = []
    lists: list[bool] = []
    key, place = b"", 0
    while token := _TOKEN.search(text, place):
        sign, place = token[0], token.end()
        if sign in _CLOSING:
            del path[-1:], lists[-1:]
        elif sign not in _OPENING:
            key = sign
        elif _is_part(candidate := [*path, b"" if lists and lists[-1] else key]):
            begin = token.start()
            place, levels = _end(text, place)
            size = place - begin
            if size > MOST_BYTES or levels > MOST_LEVELS:
                yield Part(begin, place, _instead(key, sign == b"[", size, levels))
        else:
            path, lists = candidate, [*lists, sign == b"["]


def _end(text: bytes, place: int) -> tuple[int, int]:
    """Return where a list or an object ends that began before a place, and its levels."""
    depth = deepest = 1
    while depth and (token := _INNER_TOKEN.search(text, place)):
        sign, place = token[0], token.end()
        if sign in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif sign in _CLOSING:
            depth -= 1
    return place, deepest


def _is_part(path: list[bytes]) -> bool:
    """Tell whether what begins is an object's spec or a field of its metadata, by the keys."""
    names = path[1:]
    if names[:1] == [b'"object"']:
        names = names[1:]
    elif names[:1] == [b'"items"']:
        names = names[2:]
    return names == [b'"spec"'] or (len(names) == 2 and names[0] == b'"metadata"')


def _instead(key: bytes, is_list: bool, size: int, levels: int) -> bytes:
    if key != b'"spec"':
        return b"[]" if is_list else b"{}"
    why = (
        f"its spec has {size} bytes in {levels} levels, and at most {MOST_BYTES} bytes in "
        f"{MOST_LEVELS} levels are read: write less into podTemplate, or into what is longest"
    )
    return json.dumps({UNREADABLE: why}).encode()
