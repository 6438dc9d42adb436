"""URIs that users write: what the store's own credential opens for them, and how they are shown.

An object's URI is read once and strictly: no part is empty, ``.`` or ``..``, nothing is encoded,
and scheme and bucket are lower-case. So every program that reads it later means the same object,
and what is judged here is what is opened there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,62}")
"""Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
_SPECIAL = frozenset("%?#*[]\\")
"""Characters that one of the libraries on the way decodes, cuts at or expands."""


class UriError(ValueError):
    """A URI that is no plain name of an object; the text says what is wrong with it."""


@dataclass(frozen=True)
class ObjectUri:
    """A file or, with ``is_folder``, all that lies under a prefix in a bucket."""

    bucket: str
    parts: tuple[str, ...]
    is_folder: bool = False

    @classmethod
    def parse(cls, uri: str) -> "ObjectUri":
        """Return what ``s3://BUCKET/KEY`` names; raises UriError where another reading exists."""
        scheme, _, rest = uri.partition("://")
        if scheme != "s3":
            raise UriError("it does not begin with s3://")
        bucket, _, key = rest.partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise UriError("its bucket is no bucket's name")
        is_folder = not key or key.endswith("/")
        parts = tuple(key.removesuffix("/").split("/")) if key else ()
        for part in parts:
            _check(part)
        return cls(bucket, parts, is_folder)

    def __str__(self) -> str:
        """Return the URI, a folder's with a slash at its end."""
        path = "".join(f"/{part}" for part in self.parts)
        return f"s3://{self.bucket}{path}{'/' * self.is_folder}"

    def lies_in(self, folder: "ObjectUri") -> bool:
        """Tell whether this is the folder or lies beneath it."""
        count = len(folder.parts)
        return self.bucket == folder.bucket and self.parts[:count] == folder.parts


def _check(part: str) -> None:
    if part in ("", ".", ".."):
        raise UriError("its path has an empty part, or '.' or '..'")
    if not part.isprintable() or " " in part or not _SPECIAL.isdisjoint(part):
        raise UriError("its path has a space, a control character, or one of %?#*[]\\")


@dataclass(frozen=True)
class StorePlaces:
    """The folders that the store's own credential opens, as URIs.

    ``{namespace}`` in them stands for the namespace of the object that names a URI. What is
    ``shared`` may be read from every namespace, and is written by administrators.
    """

    own: tuple[str, ...]
    shared: tuple[str, ...] = ()

    def readable(self, namespace: str) -> Iterator[ObjectUri]:
        """Yield what a namespace may read."""
        yield from self.writable(namespace)
        yield from map(ObjectUri.parse, self.shared)

    def writable(self, namespace: str) -> Iterator[ObjectUri]:
        """Yield what a namespace may write."""
        for place in self.own:
            yield ObjectUri.parse(place.replace("{namespace}", namespace))


def refusal(uri: str, namespace: str, places: StorePlaces, *, writes: bool = False) -> str | None:
    """Return why the store's own credential must not open a URI for a namespace.

    Returns None where it may. ``writes``: the URI is written to, not only read.
    """
    allowed = tuple(places.writable(namespace) if writes else places.readable(namespace))
    where = " or ".join(f"{str(place).removesuffix('/')}/" for place in allowed)
    try:
        asked = ObjectUri.parse(uri)
    except UriError as error:
        why = f"{shown(uri)} is refused, since {error}"
    else:
        if any(asked.lies_in(place) for place in allowed):
            return None
        why = f"{shown(uri)} is not this namespace's"
    return (
        f"{why}: write a URI in {where}, or name the Secret that opens another place in "
        "credentialsSecretName."
    )


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
