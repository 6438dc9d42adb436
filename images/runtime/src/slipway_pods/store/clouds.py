"""How servers are opened: S3, and for sources and inputs Google, Azure, Hugging Face, and HTTP.

The libraries of those are imported only where one of them is asked for. Their credentials, by the
names of `slipway_pods.store.credentials`: ``AWS_*``; ``GOOGLE_SERVICE_ACCOUNT_JSON`` (a key as
JSON); ``AZURE_STORAGE_*`` as adlfs names them; ``HF_TOKEN``; ``username`` and ``password``, or
``token``, for HTTP.
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
        "TransportError",
        "ProxyError",
        "ChecksumError",
    }
)
"""Names of the classes by which azure-core, httpx, google-auth and gcsfs say that a server does not
answer, or not with a whole file."""
_FORBIDDEN = "Forbidden: "
"""How the text of an OSError begins by which gcsfs tells the status 403."""
_CONNECT_SECONDS = 10
_SILENT_SECONDS = 60
"""How long a server may take to take a connection, and to send the next bytes of an answer."""
_SILENT_GOOGLE_SECONDS = 20
"""The same where the library itself asks six times."""
_STYLES = ("path", "virtual")

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

        # Without this, aiohttp ends a transfer after five minutes, however well it goes on.
        session = {"timeout": _patience(_SILENT_GOOGLE_SECONDS), "trust_env": True}
        return GCSFileSystem(
            access="read_only",
            use_listings_cache=False,
            session_kwargs=session,
            **_google(opened),
        )
    if scheme == "hf":
        from huggingface_hub import HfFileSystem

        token, endpoint = opened.get("HF_TOKEN") or False, opened.get("HF_ENDPOINT")
        return HfFileSystem(endpoint=endpoint, token=token, use_listings_cache=False)
    # Azure's own library waits 20 s for a connection, and 60 s for the next bytes of an answer.
    return fsspec.filesystem("az", use_listings_cache=False, **_azure(opened))


def s3_options(opened: Mapping[str, str]) -> dict[str, Any]:
    """Return s3fs' options for some credentials; without a key, boto looks for the pod's identity.

    ``endpoint_url`` and ``verify`` are absent where AWS' own servers and authorities are meant.
    ``AWS_S3_ADDRESSING_STYLE`` says whether a bucket is named in the ``path`` of requests, or as
    part of the host (``virtual``); raises ValueError for another word.
    """
    config: dict[str, Any] = {
        "connect_timeout": 5,
        "read_timeout": _SILENT_SECONDS,
        "retries": {"mode": "standard", "max_attempts": 2},
    }
    endpoint = opened.get("AWS_ENDPOINT_URL_S3") or opened.get("AWS_ENDPOINT_URL")
    style = opened.get("AWS_S3_ADDRESSING_STYLE") or ("path" if endpoint else "")
    if style and style not in _STYLES:
        raise ValueError(f"AWS_S3_ADDRESSING_STYLE is {style[:20]!r}: write path or virtual")
    if style:
        config["s3"] = {"addressing_style": style}
    if endpoint:
        # Checksums by default are AWS' own, and not every server's.
        config["request_checksum_calculation"] = "when_required"
        config["response_checksum_validation"] = "when_required"
    return {
        **_told(
            key=opened.get("AWS_ACCESS_KEY_ID"),
            secret=opened.get("AWS_SECRET_ACCESS_KEY"),
            token=opened.get("AWS_SESSION_TOKEN"),
            endpoint_url=endpoint,
        ),
        "config_kwargs": config,
        "client_kwargs": _told(
            region_name=opened.get("AWS_REGION") or opened.get("AWS_DEFAULT_REGION"),
            verify=opened.get("AWS_CA_BUNDLE"),
        ),
    }


def _told(**options: str | None) -> dict[str, Any]:
    """Return the options that have a value."""
    return {name: value for name, value in options.items() if value}


def web_options(opened: Mapping[str, str]) -> dict[str, Any]:
    """Return aiohttp's options for a web server, with the credentials for it."""
    return {"timeout": _patience(), "trust_env": True, **http_credentials(opened)}


def _patience(silent: int = _SILENT_SECONDS) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=silent)


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
    from google.oauth2.service_account import Credentials

    try:
        found: dict[str, Any] = dict(json.loads(key))
        Credentials.from_service_account_info(found)
    except (ValueError, TypeError, AttributeError):
        raise PermissionError(
            "GOOGLE_SERVICE_ACCOUNT_JSON in the Secret is no key of a service account: put the "
            "whole JSON file there"
        ) from None
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
        if isinstance(link, OSError) and str(link).startswith(_FORBIDDEN):
            return "", 403
        if link is not None and (found := status(link)):
            return "", found
        response = getattr(link, "response", None)
        if isinstance(response, dict):
            told = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return str(response.get("Error", {}).get("Code", "")), int(told)
    return "", 0
