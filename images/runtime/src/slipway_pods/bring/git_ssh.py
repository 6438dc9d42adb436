"""Git over SSH, without a program of the image's: a key from a Secret, hosts that are known.

The key and the known hosts come as texts and touch no disk, so neither file modes nor the pod's
user, whom no passwd file may know, are of matter. A host whose key is not among the known ones is
never spoken to.
"""

import contextlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, cast
from urllib.parse import urlsplit

import paramiko
from dulwich.client import SSHGitClient, SSHVendor, SubprocessWrapper
from paramiko.hostkeys import HostKeyEntry, HostKeys, InvalidHostKey

from slipway_pods.store import store

TIMEOUT_SECONDS = 60.0
"""Longest silence of a server that is borne."""
DEFAULT_USER = "git"
SSH_PORT = 22
SECRET = "the Secret of source.git.credentialsSecretName"  # noqa: S105 - its place, not a secret

_SCP = re.compile(r"(?:([^@/:\s]+)@)?([^:/@\s]+):(?!//|:)(\S+)")
_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


@dataclass(frozen=True)
class Address:
    """Where a repository is: ``ssh://[user@]host[:port]/path`` or ``[user@]host:path``."""

    user: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Return the address that a URL is."""
        if match := _SCP.fullmatch(url):
            return cls(match[1] or DEFAULT_USER, match[2], SSH_PORT, match[3])
        found = urlsplit(url)
        user, host = found.username or DEFAULT_USER, found.hostname or ""
        return cls(user, host, found.port or SSH_PORT, found.path)

    @property
    def known_as(self) -> str:
        """The host's name in a file of known hosts."""
        return self.host if self.port == SSH_PORT else f"[{self.host}]:{self.port}"


def is_ssh(url: str) -> bool:
    """Tell whether a repository is reached by SSH."""
    return url.startswith("ssh://") or bool(_SCP.fullmatch(url))


def client(url: str, key: str, known_hosts: str) -> tuple[SSHGitClient, str]:
    """Return the client for a repository, and the repository's path on its server.

    Raises AccessDeniedError where the key or the host's line is missing or cannot be read.
    """
    address = Address.parse(url)
    vendor = Vendor(address, read_key(key), read_hosts(known_hosts, address))
    git = SSHGitClient(address.host, address.port, address.user, vendor=vendor)
    return git, address.path


def read_key(text: str) -> paramiko.PKey:
    """Return the private key that a text is."""
    if not text.strip():
        raise store.AccessDeniedError(
            f"A repository over SSH needs a key: add ssh-privatekey to {SECRET}."
        )
    for kind in _KEYS:
        with contextlib.suppress(paramiko.SSHException, ValueError, IndexError):
            return kind.from_private_key(io.StringIO(text.strip() + "\n"))
    raise store.AccessDeniedError(
        f"ssh-privatekey in {SECRET} cannot be read: write a private key of type ed25519, ecdsa or "
        "rsa that has no passphrase."
    )


def read_hosts(text: str, address: Address) -> HostKeys:
    """Return the known hosts that a text names; the address' own must be among them."""
    known = HostKeys()
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith(("#", "@")):
            with contextlib.suppress(InvalidHostKey, paramiko.SSHException):
                entry = HostKeyEntry.from_line(line.strip())
                if entry is not None:
                    for name in entry.hostnames:
                        known.add(name, entry.key.get_name(), entry.key)
    if known.lookup(address.known_as) is None:
        port = "" if address.port == SSH_PORT else f"-p {address.port} "
        raise store.AccessDeniedError(
            f"The host {address.known_as} is not known: add known_hosts to {SECRET}, with the "
            f"lines that `ssh-keyscan {port}{address.host}` prints, once you have compared them "
            "with those that the host publishes."
        )
    return known


class Conversation(SubprocessWrapper):
    """A command on a server, as dulwich talks to one."""

    def __init__(self, connection: paramiko.SSHClient, channel: paramiko.Channel) -> None:
        self._connection = connection
        self._channel = channel
        self._said = channel.makefile_stderr("rb")
        self.read = channel.makefile("rb").read
        self.write = cast("Callable[..., Any]", channel.sendall)

    @property
    def stderr(self) -> IO[bytes]:
        """What the command says beside its answers."""
        return cast("IO[bytes]", self._said)

    def can_read(self) -> bool:
        """Tell whether an answer waits to be read."""
        return self._channel.recv_ready()

    def close(self, timeout: int | None = None) -> None:
        """End the connection."""
        self._connection.close()


@dataclass(frozen=True)
class Vendor(SSHVendor):
    """Runs git's commands on a server, each by a connection of its own."""

    address: Address
    key: paramiko.PKey
    known: HostKeys

    def run_command(self, host: str, command: bytes, *_: Any, **__: Any) -> Conversation:
        """Run a command, and return its ends; raises StoreError."""
        connection = paramiko.SSHClient()
        connection.get_host_keys().update(self.known)
        connection.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            with _told(self.address):
                return Conversation(connection, self._run(connection, command))
        except BaseException:
            connection.close()
            raise

    def _run(self, connection: paramiko.SSHClient, command: bytes) -> paramiko.Channel:
        connection.connect(
            self.address.host,
            self.address.port,
            self.address.user,
            pkey=self.key,
            allow_agent=False,
            look_for_keys=False,
            timeout=TIMEOUT_SECONDS,
            banner_timeout=TIMEOUT_SECONDS,
            auth_timeout=TIMEOUT_SECONDS,
        )
        transport = connection.get_transport()
        if transport is None:
            raise EOFError
        channel = transport.open_session(timeout=TIMEOUT_SECONDS)
        channel.settimeout(TIMEOUT_SECONDS)
        channel.exec_command(command)
        return channel


@contextlib.contextmanager
def _told(address: Address) -> Iterator[None]:
    """Turn what SSH raises into the store's errors."""
    try:
        yield
    except paramiko.BadHostKeyException as error:
        raise store.AccessDeniedError(
            f"The host {address.known_as} has another key than known_hosts in {SECRET} says: if "
            "its owner has changed it, write the new line; else somebody is in between."
        ) from error
    except paramiko.AuthenticationException as error:
        raise store.AccessDeniedError(
            f"{address.known_as} does not let {address.user} in with ssh-privatekey of {SECRET}: "
            "give the public half of it the right to read there."
        ) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise store.StoreUnavailableError(
            f"The host {address.known_as} cannot be reached by SSH: {store.brief(error)}"
        ) from error
