"""A real git repository behind git's own HTTP backend, with or without a password."""

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Test"), ("EMAIL", "test@example.com"))
}


def git(folder: Path, *args: str, text: str = "") -> str:
    """Run git in a folder, apart from the machine's own configuration; ``text`` is its input."""
    env = {**os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(folder)}
    argv = ["git", "-c", "init.defaultBranch=main", *args]
    done = subprocess.run(
        argv, cwd=folder, env=env, input=text, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder: Path, **files: str) -> str:
    """Commit Python files, ``train="..."`` as ``train.py``, and return the commit's hash."""
    for stem, text in files.items():
        (folder / f"{stem}.py").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", "change")
    return git(folder, "rev-parse", "HEAD")


class _Handler(BaseHTTPRequestHandler):
    """Answers as a web server with git-http-backend(1) does."""

    server: "_Server"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            self._answer(b"".join(iter(self._chunk, b"")))
        else:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline(), 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def _answer(self, body: bytes) -> None:
        if self.server.wanted and self.headers.get("Authorization") != self.server.wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        url = urlsplit(self.path)
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        argv = ["git", "-c", "safe.directory=*", "http-backend"]
        done = subprocess.run(argv, input=body, env=env, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        found = dict(fields)
        self.send_response(int(found.pop("Status", "200").split()[0]))
        for name, value in found.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
        """Keep requests out of the output."""


class _Server(ThreadingHTTPServer):
    def __init__(self, root: Path, wanted: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.wanted = wanted


@contextmanager
def serve(root: Path, username: str = "", password: str = "") -> Iterator[str]:
    """Serve the repositories under a folder, and yield the server's URL."""
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    with _Server(root, f"Basic {pair}" if username else "") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
