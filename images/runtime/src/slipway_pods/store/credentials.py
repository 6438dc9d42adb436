"""What opens the store and other servers: files of a Secret's volume, read for each connection.

``SLIPWAY_CREDENTIALS_DIR`` (``/slipway/credentials``) is a folder with one file for each key, as
the kubelet makes it and renews it. Where it has none, the variables of the same names count, which
pods of release 0.2.0 have from ``envFrom``. Only the names of `NAMES` are ever read: a Secret is
its author's, and other variables say which code a program loads (``PYTHONPATH``, ``LD_PRELOAD``, a
``credential_process`` in ``AWS_CONFIG_FILE``).
"""

import ctypes
import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

FOLDER = "SLIPWAY_CREDENTIALS_DIR"
DEFAULT_FOLDER = "/slipway/credentials"
CHECKPOINT_FOLDER = "SLIPWAY_CHECKPOINT_CREDENTIALS_DIR"
"""The folder of the Secret that opens the checkpoints' place, where it has one of its own."""
CHECKPOINT_PREFIX = "SLIPWAY_CHECKPOINT_ENV_"
"""What that Secret's variables begin with in pods of release 0.2.0."""
CHECKPOINT_SECRET = "SLIPWAY_CHECKPOINT_OWN_SECRET"  # noqa: S105 - a name, not a secret
"""``true`` where there is such a Secret, whatever is in it."""
CA_FILE = "ca.crt"
"""The file with the certificate authority of an S3 server, as cert-manager's Secrets name it."""
ENDPOINT = "SLIPWAY_STORE_ENDPOINT"
"""The store's URL where ``AWS_ENDPOINT_URL`` is the one without TLS, for pods of release 0.2.0."""
MAX_BYTES = 1024 * 1024
"""Longest value, which is the longest Secret."""

NAMES = frozenset(
    {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
        *("AWS_CA_BUNDLE", "AWS_S3_ADDRESSING_STYLE", CA_FILE, ENDPOINT),
        *("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN"),
        *("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_CLIENT_ID", "AZURE_STORAGE_ANON"),
        *("AZURE_STORAGE_CLIENT_SECRET", "AZURE_STORAGE_TENANT_ID"),
        *("GOOGLE_SERVICE_ACCOUNT_JSON", "STORAGE_EMULATOR_HOST", "HF_TOKEN", "HF_ENDPOINT"),
        *("username", "password", "token", "ssh-privatekey", "known_hosts"),
        *("SLIPWAY_GIT_KEY", "SLIPWAY_GIT_KNOWN_HOSTS"),
    }
)
"""The keys of Secrets that are read."""

PASSED_ON = frozenset(
    {
        *("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
        *("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        *("AWS_STS_REGIONAL_ENDPOINTS", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        *("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "GOOGLE_APPLICATION_CREDENTIALS"),
        *("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE"),
        *("AZURE_AUTHORITY_HOST", "JOB_COMPLETION_INDEX"),
    }
)
"""Variables that a child process gets besides ``SLIPWAY_*``: the clouds' workload identities are
names of files and servers that the cluster puts into the pod."""

_PR_SET_DUMPABLE = 4
"""See prctl(2)."""

_taken: dict[str, str] = {}


def hold(env: MutableMapping[str, str] = os.environ) -> None:
    """Take the credentials out of the variables, and keep other processes from reading this one.

    A program calls it first of all. What was taken is still found by `current`.
    """
    for name in [name for name in env if _is_secret(name)]:
        _taken[name] = env.pop(name)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def current(env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the credentials as they are now, by their names; those of files before all others."""
    files = read(Path(env.get(FOLDER) or DEFAULT_FOLDER))
    if files:
        return files
    return {name: value for name, value in {**_taken, **env}.items() if name in NAMES}


def read(folder: Path) -> dict[str, str]:
    """Return the credentials in a Secret's folder; none where it is not there.

    ``AWS_CA_BUNDLE`` names the folder's own ``ca.crt`` where it has one: without links, so that a
    renewed Secret gives another name, and whoever keeps connections by it makes new ones.
    """
    found = {name: text for name in _keys(folder) if (text := _read(folder / name)) is not None}
    if CA_FILE in found:
        del found[CA_FILE]
        found["AWS_CA_BUNDLE"] = str((folder / CA_FILE).resolve())
    if ENDPOINT in found:
        found["AWS_ENDPOINT_URL"] = found.pop(ENDPOINT)
    return found


def child_environment(env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables for a process that uses the same credentials."""
    known = {**_taken, **env}
    return {**plain_environment(env), **{name: known[name] for name in NAMES & known.keys()}}


def keeper_environment(env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables for the keeper of checkpoints, whose place may have its own Secret.

    Where it has, none of the store's own credentials are left, even if the Secret is empty: they
    open what is the namespace's own, and a place with a Secret of its own need not be.
    """
    if env.get(CHECKPOINT_FOLDER):
        return {**plain_environment(env), FOLDER: env[CHECKPOINT_FOLDER]}
    known = {**_taken, **env}
    own = {
        plain: value
        for name, value in known.items()
        if name.startswith(CHECKPOINT_PREFIX)
        and (plain := name.removeprefix(CHECKPOINT_PREFIX)) in NAMES
    }
    if own or env.get(CHECKPOINT_SECRET) == "true":
        return {**plain_environment(env), FOLDER: os.devnull, **own}
    return child_environment(env)


def plain_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return those variables for a child process that open nothing."""
    return {
        name: value
        for name, value in env.items()
        if name in PASSED_ON or (name.startswith("SLIPWAY_") and not _is_secret(name))
    }


def _is_secret(name: str) -> bool:
    return name in NAMES or name.startswith(CHECKPOINT_PREFIX)


def _keys(folder: Path) -> list[str]:
    """Return which keys a Secret's folder has: it is read for each file, and most are not there."""
    try:
        return sorted(NAMES & {path.name for path in folder.iterdir()})
    except OSError:
        return []


def _read(path: Path) -> str | None:
    """Return a key's value without the line end that editors add; None where it is not there."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES)
    except OSError:
        return None
    return data.decode("utf-8", "replace").removesuffix("\n")
