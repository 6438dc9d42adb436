"""Where sources and inputs may come from besides S3: Google, Azure, Hugging Face, and HTTP.

Their libraries are imported only where one of them is asked for. Their credentials, by the names of
`slipway_pods.store.credentials`: ``GOOGLE_SERVICE_ACCOUNT_JSON`` (a key as JSON);
``AZURE_STORAGE_*`` as adlfs names them; ``HF_TOKEN``; ``username`` and ``password``, or ``token``,
for HTTP.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

import aiohttp
import fsspec

SCHEMES = frozenset({"gs", "az", "hf"})

_UNREACHABLE = frozenset(
    {
        "ServiceRequestError",
        "ServiceResponseError",
        "IncompleteReadError",
        "ConnectError",
        "ConnectTimeout",
        "ReadTimeout",
        "ReadError",
        "RemoteProtocolError",
    }
)
"""Names of the classes by which azure-core and httpx say that a server does not answer."""


_AZURE = (
    *("account_name", "account_key", "connection_string", "sas_token"),
    *("client_id", "client_secret", "tenant_id"),
)
"""adlfs' options, which are the ends of ``AZURE_STORAGE_*`` in lower case."""


def filesystem(scheme: str, opened: Mapping[str, str]) -> Any:
    """Return the file system of a scheme of `SCHEMES`; ImportError where its library is missing."""
    if scheme == "gs":
        # The package's own choice asks over gRPC for the bucket's kind, whatever the endpoint is.
        from gcsfs.core import GCSFileSystem

        return GCSFileSystem(use_listings_cache=False, **_google(opened))
    if scheme == "hf":
        from huggingface_hub import HfFileSystem

        token, endpoint = opened.get("HF_TOKEN") or False, opened.get("HF_ENDPOINT")
        return HfFileSystem(endpoint=endpoint, token=token, use_listings_cache=False)
    return fsspec.filesystem("az", use_listings_cache=False, **_azure(opened))


def _azure(opened: Mapping[str, str]) -> dict[str, Any]:
    named = ((option, opened.get(f"AZURE_STORAGE_{option.upper()}")) for option in _AZURE)
    found: dict[str, Any] = {option: value for option, value in named if value}
    anonymous = opened.get("AZURE_STORAGE_ANON")
    return {**found, "anon": anonymous.lower() not in ("false", "0", "f")} if anonymous else found


def _google(opened: Mapping[str, str]) -> dict[str, Any]:
    emulator = opened.get("STORAGE_EMULATOR_HOST")
    there = {"endpoint_url": emulator} if emulator else {}
    key = opened.get("GOOGLE_SERVICE_ACCOUNT_JSON")
    if key:
        return {**there, "token": _service_account(key)}
    return {**there, "token": "anon"} if emulator else {}


def _service_account(key: str) -> dict[str, Any]:
    """Return a service account's key; PermissionError, as for a wrong one, where it is none."""
    try:
        found = json.loads(key)
    except ValueError:
        found = None
    if not isinstance(found, dict) or "private_key" not in found:
        raise PermissionError(
            "GOOGLE_SERVICE_ACCOUNT_JSON in the Secret is no key of a service account: put the "
            "whole JSON file there"
        )
    return found


def http_credentials(opened: Mapping[str, str]) -> dict[str, Any]:
    """Return aiohttp's options for the credentials, as a basic-auth Secret names them."""
    if opened.get("token"):
        return {"headers": {"Authorization": f"Bearer {opened['token']}"}}
    if opened.get("username") or opened.get("password"):
        pair = f"{opened.get('username', '')}:{opened.get('password', '')}".encode()
        return {"headers": {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}}
    return {}


def is_unreachable(error: BaseException) -> bool:
    """Tell whether one of the libraries says that its server does not answer."""
    return any(type(link).__name__ in _UNREACHABLE for link in (error, error.__cause__))


def status(error: BaseException) -> int:
    """Return the HTTP status that an error of these libraries carries; 0 where there is none."""
    response = getattr(error, "response", None)
    for holder, field in ((error, "status_code"), (error, "code"), (response, "status_code")):
        found = getattr(holder, field, None)
        if isinstance(found, int | str) and str(found).isdecimal():
            return int(found)
    return 0


def answer(error: Exception) -> tuple[str, int]:
    """Return S3's error code and HTTP's status, as far as the server sent any; else "" and 0."""
    for link in (error, error.__cause__):
        if isinstance(link, aiohttp.ClientResponseError):
            return "", link.status
        if link is not None and (found := status(link)):
            return "", found
        response = getattr(link, "response", None)
        if isinstance(response, dict):
            told = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return str(response.get("Error", {}).get("Code", "")), int(told)
    return "", 0
