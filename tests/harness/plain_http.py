"""HTTP without TLS: httpx reads all authorities for each request, 38 ms of CPU time, if let."""

import ssl
from typing import Any

import httpx

_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody, for none of these servers is asked by TLS."""


def get(url: str, *, timeout: float = 30, **options: Any) -> httpx.Response:
    """Return the answer to a GET; ``options`` are those of httpx, ``timeout`` is in seconds."""
    return httpx.get(url, timeout=timeout, verify=_NOBODY, trust_env=False, **options)


def post(url: str, *, timeout: float = 30, **options: Any) -> httpx.Response:
    """Return the answer to a POST; ``options`` are those of httpx, ``timeout`` is in seconds."""
    return httpx.post(url, timeout=timeout, verify=_NOBODY, trust_env=False, **options)
