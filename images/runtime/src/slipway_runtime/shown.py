"""How messages show URIs: without what opens them.

`slipway.uris` in the operator does the same; tests/uris.json holds both to it.
"""

from __future__ import annotations

import re

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:@\[\]\\]*)(:[0-9]*)?")
"""A host, or a bucket, with a port."""
_URL = re.compile(r"(?i)\b[a-z][a-z0-9+.-]{0,15}://\S*")
_QUERY = re.compile(r"\?[^\s?=]*=\S*")
_COLOR = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]")
"""A control sequence of a terminal, by ECMA-48: colors, moves of the cursor."""
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""All control characters but tabs and line ends, and the marks of bidirectional text."""
_AFTER = ".,;:!?)]}>'\""
"""What follows a URI in a sentence rather than ends it."""


def shown(uri: str) -> str:
    """Return a URI as messages show it: without user, password, query and fragment.

    A password may hold any of the marks that end an authority: where one begins with what is no
    host, all up to the last ``@`` is taken for it.
    """
    scheme, mark, rest = uri.partition("://")
    if not mark:
        return _before_query(uri)
    if not _HOST.fullmatch(_before_query(rest).partition("/")[0]):
        rest = rest.rpartition("@")[2] if "@" in rest else ""
    return f"{scheme}://{_before_query(rest)}"


def _before_query(text: str) -> str:
    return re.split("[?#]", text, maxsplit=1)[0]


def scrubbed(text: str) -> str:
    """Return a text in which every URI is as `shown` shows it, and no query stands by itself.

    What steers a terminal, or turns the direction of writing, is left out or becomes a blank.
    """
    return _STEERING.sub(" ", _QUERY.sub("", _URL.sub(_shown_in_text, _COLOR.sub("", text))))


def _shown_in_text(match: re.Match[str]) -> str:
    uri = match.group().rstrip(_AFTER)
    return shown(uri) + match.group()[len(uri) :]
