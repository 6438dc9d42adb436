"""A real SSH server on loopback that lets one key in and runs git's own programs."""

import io
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko import common

_COMMAND = re.compile(r"git-upload-pack '(/[^']*)'")
CHUNK = 64 * 1024


def private_key() -> str:
    """Return a new private key, as ssh-keygen writes it."""
    made = Ed25519PrivateKey.generate()
    return made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def parsed(text: str) -> paramiko.PKey:
    return paramiko.Ed25519Key.from_private_key(io.StringIO(text))


@dataclass
class SshServer:
    """Where it listens, and its own key."""

    port: int
    host_key: paramiko.PKey
    root: Path
    guest: paramiko.PKey

    def known_hosts(self, key: paramiko.PKey | None = None) -> str:
        """Return the line of a file of known hosts."""
        key = key or self.host_key
        return f"[127.0.0.1]:{self.port} {key.get_name()} {key.get_base64()}\n"

    def url(self, path: str) -> str:
        return f"ssh://git@127.0.0.1:{self.port}/{path}"

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        transport.add_server_key(self.host_key)
        door = _Door(self.guest)
        with suppress(paramiko.SSHException, EOFError, OSError):
            transport.start_server(server=door)
            channel = transport.accept(60)
            if channel is not None and door.asked.wait(60):
                self._run(door.command, channel)
                transport.join(60)

    def _run(self, command: str, channel: paramiko.Channel) -> None:
        match = _COMMAND.fullmatch(command)
        folder = self.root / (match[1] if match else "none").lstrip("/")
        argv = ["git", "-c", "safe.directory=*", "upload-pack", str(folder)]
        env = {"PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null"}
        pipes = subprocess.PIPE
        with subprocess.Popen(argv, stdin=pipes, stdout=pipes, stderr=pipes, env=env) as git:
            assert git.stdin is not None
            assert git.stdout is not None
            assert git.stderr is not None
            threading.Thread(target=_feed, args=(channel, git), daemon=True).start()
            while data := git.stdout.read1(CHUNK):  # type: ignore[attr-defined]
                channel.sendall(data)
            channel.sendall_stderr(git.stderr.read())
            channel.send_exit_status(git.wait())
        channel.close()


def _feed(channel: paramiko.Channel, git: "subprocess.Popen[bytes]") -> None:
    assert git.stdin is not None
    with suppress(OSError, ValueError):
        while data := channel.recv(CHUNK):
            git.stdin.write(data)
            git.stdin.flush()
        git.stdin.close()


class _Door(paramiko.ServerInterface):
    def __init__(self, guest: paramiko.PKey) -> None:
        self.guest = guest
        self.asked = threading.Event()
        self.command = ""

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = username == "git" and key == self.guest
        return common.AUTH_SUCCESSFUL if known else common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.command = command.decode()
        self.asked.set()
        return True


@contextmanager
def serve(root: Path, guest: str) -> Iterator[SshServer]:
    """Serve the repositories under a folder to the owner of a private key."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = SshServer(port, parsed(private_key()), root, parsed(guest))
        threading.Thread(target=server.serve, args=(listener,), daemon=True).start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
