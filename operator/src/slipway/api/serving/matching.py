"""Which requests a candidate gets: by their headers, and again by a cookie."""

from typing import Annotated

from pydantic import Field

from slipway.api.base import ApiModel, rules, text

HeaderName = Annotated[
    str,
    text(
        "^[A-Za-z0-9!#$%&*+.^_`|~-]+$",
        "write the name of an HTTP header or a cookie, such as x-group",
        longest=128,
    ),
]
"""The name of an HTTP header or of a cookie (a token of RFC 9110)."""


class StickyCookie(ApiModel):
    """A cookie by which a user is known again; Envoy sets it where there is none."""

    name: HeaderName = "slipway-track"
    """Name of the cookie."""
    ttl_seconds: Annotated[int, Field(ge=1, le=31_536_000)] = 86_400
    """How long it lives, in seconds."""


class Sticky(
    ApiModel,
    json_schema_extra=rules(
        ("has(self.cookie) != has(self.header)", "write exactly one of cookie and header")
    ),
):
    """What keeps a user at one revision while the weights stay: exactly one of its fields."""

    cookie: StickyCookie | None = None
    """A cookie."""
    header: HeaderName | None = None
    """A header that the client sends, such as a user's id."""


class Matcher(
    ApiModel,
    json_schema_extra=rules(
        (
            "[has(self.exact), has(self.prefix), has(self.regex)].filter(x, x).size() <= 1",
            "write at most one of exact, prefix and regex; without one it must only be there",
        )
    ),
):
    """What one header or cookie must be; with a name alone it must only be there."""

    name: HeaderName
    """Name of the header or cookie."""
    exact: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """The whole value."""
    prefix: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """The value's beginning."""
    regex: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """An RE2 expression that the whole value matches."""


class Match(
    ApiModel,
    json_schema_extra=rules(
        (
            "(has(self.headers) && self.headers.size() > 0) || "
            "(has(self.cookies) && self.cookies.size() > 0)",
            "write at least one of headers and cookies in each match",
        )
    ),
):
    """Conditions that must all hold of a request."""

    headers: Annotated[list[Matcher], Field(max_length=8)] = Field(default_factory=list)
    """Conditions on headers."""
    cookies: Annotated[list[Matcher], Field(max_length=8)] = Field(default_factory=list)
    """Conditions on cookies."""
