"""Where sources and inputs may come from besides S3: Google, Azure, Hugging Face, and HTTP.

Their libraries are imported only where one of them is asked for. Credentials are variables:
``GOOGLE_SERVICE_ACCOUNT_JSON`` (a key as JSON); ``AZURE_STORAGE_*`` as adlfs reads them;
``HF_TOKEN``; ``username`` and ``password``, or ``token``, for HTTP.
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


def filesystem(scheme: str, env: Mapping[str, str]) -> Any:
    """Return the file system of a scheme of `SCHEMES`; ImportError where its library is missing."""
    if scheme == "gs":
        # The package's own choice asks over gRPC for the bucket's kind, whatever the endpoint is.
        from gcsfs.core import GCSFileSystem

        return GCSFileSystem(use_listings_cache=False, **_google(env))
    if scheme == "hf":
        from huggingface_hub import HfFileSystem

        return HfFileSystem(token=env.get("HF_TOKEN") or False, use_listings_cache=False)
    return fsspec.filesystem("az", use_listings_cache=False)


def _google(env: Mapping[str, str]) -> dict[str, Any]:
    key = env.get("GOOGLE_SERVICE_ACCOUNT_JSON")
    if key:
        return {"token": _service_account(key)}
    return {"token": "anon"} if env.get("STORAGE_EMULATOR_HOST") else {}


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


def http_credentials(env: Mapping[str, str]) -> dict[str, Any]:
    """Return aiohttp's options for the credentials, as a basic-auth Secret names them."""
    if env.get("token"):
        return {"headers": {"Authorization": f"Bearer {env['token']}"}}
    if env.get("username") or env.get("password"):
        pair = f"{env.get('username', '')}:{env.get('password', '')}".encode()
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
