"""Signing requests to AWS' APIs and to servers that speak them: Signature Version 4.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Key:
    """An access key: its ID, its secret, and the token of a session, if it is one's."""

    id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Request:
    """A request to be signed; ``url`` is encoded as it goes over the wire."""

    method: str
    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def signed(request: Request, key: Key, service: str, region: str, now: datetime) -> dict[str, str]:
    """Return the request's headers with its signature; ``now`` is in UTC."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(request.body).hexdigest()
    headers = {
        **{name.lower(): value.strip() for name, value in request.headers.items()},
        "host": urlsplit(request.url).netloc,
        "x-amz-content-sha256": digest,
        "x-amz-date": stamp,
        **({"x-amz-security-token": key.token} if key.token else {}),
    }
    names = ";".join(sorted(headers))
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    canonical = "\n".join(
        (
            request.method,
            urlsplit(request.url).path or "/",
            _query(request.url),
            *(f"{name}:{headers[name]}" for name in sorted(headers)),
            "",
            names,
            digest,
        )
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    signature = _sign(key.secret, scope, "\n".join((_ALGORITHM, stamp, scope, hashed)))
    credential = f"Credential={key.id}/{scope}"
    authorization = f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": authorization}


def encoded(text: str, safe: str = "") -> str:
    """Return a text as AWS encodes it in paths and queries: all but A-Z a-z 0-9 - . _ ~."""
    return quote(text, safe=f"-._~{safe}")


def _query(url: str) -> str:
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    return "&".join(sorted(f"{encoded(name)}={encoded(value)}" for name, value in pairs))


def _sign(secret: str, scope: str, text: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
