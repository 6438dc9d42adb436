"""Small servers that speak what Azure's, Google's and the Hugging Face Hub's clients need to read.

Azure's and Google's ask for a key where they have one.
Sources: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api,
https://docs.cloud.google.com/storage/docs/json_api, https://huggingface.co/docs/hub/api
"""

import base64
import functools
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

FILES = {"set/a.csv": b"aaa", "set/deep/b.csv": b"bbbb", "rows.csv": b"0123456789"}
"""What each of them holds."""
CLOSED = "closed.csv"
"""What Google's lets nobody read."""
TOKEN = "token-of-an-hour"


@functools.cache
def _account_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(65537, 2048)


def public_pem() -> str:
    """Return the public key of a Google account that is this process' own."""
    from cryptography.hazmat.primitives import serialization

    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    pem: bytes = _account_key().public_key().public_bytes(serialization.Encoding.PEM, kind)
    return pem.decode()


def service_account(url: str) -> str:
    """Return that account's private key as Google hands it out, for a token server at a URL."""
    from cryptography.hazmat.primitives import serialization

    pem: bytes = _account_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    told = {
        "type": "service_account",
        "project_id": "team",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "reader@team.iam.gserviceaccount.com",
        "token_uri": f"{url}/token",
    }
    return json.dumps(told)


MODIFIED = "Wed, 01 Jan 2025 00:00:00 GMT"
OID = "0" * 40


class Handler(BaseHTTPRequestHandler):
    """Answers by `answer`, with ranges and without a body for HEAD."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.answer(unquote(url.path), dict(parse_qsl(url.query)))

    def do_HEAD(self) -> None:
        self.do_GET()

    def answer(self, path: str, query: Mapping[str, str]) -> None:
        raise NotImplementedError

    def send(self, body: bytes, status: int = 200, /, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_json(self, value: object, status: int = 200, **headers: str) -> None:
        self.send(json.dumps(value).encode(), status, Content_Type="application/json", **headers)

    def send_file(self, data: bytes, /, **headers: str) -> None:
        wanted = self.headers.get("x-ms-range") or self.headers.get("Range")
        if wanted is None or self.command == "HEAD":
            self.send(data, Accept_Ranges="bytes", **headers)
            return
        first, _, last = wanted.split("=")[1].partition("-")
        begin, end = int(first), min(int(last or len(data)), len(data) - 1)
        told = f"bytes {begin}-{end}/{len(data)}"
        self.send(data[begin : end + 1], 206, Content_Range=told, **headers)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
        """Keep requests out of the output."""


def level(prefix: str, delimiter: str) -> tuple[list[str], list[str]]:
    """Return the names of files and of folders that begin with a prefix, as stores list them."""
    names = [name for name in sorted(FILES) if name.startswith(prefix)]
    if not delimiter:
        return names, []
    folders = {
        prefix + name[len(prefix) :].split(delimiter)[0] + delimiter
        for name in names
        if delimiter in name[len(prefix) :]
    }
    return [name for name in names if delimiter not in name[len(prefix) :]], sorted(folders)


class Azure(Handler):
    """The container ``data`` of the account ``team``; ``key`` is the account's, in base64."""

    key: ClassVar[str] = ""

    def answer(self, path: str, query: Mapping[str, str]) -> None:
        if self.key and self.headers.get("Authorization") != self._signature():
            self.send(b"", 403, x_ms_error_code="AuthenticationFailed")
            return
        name = path.removeprefix("/team/data").lstrip("/")
        if query.get("comp") == "list":
            self._list(query.get("prefix", ""), query.get("delimiter", ""))
        elif name in FILES:
            about = {"ETag": '"1"', "Last_Modified": MODIFIED, "x_ms_blob_type": "BlockBlob"}
            self.send_file(FILES[name], **about)
        else:
            self.send(b"", 404, x_ms_error_code="BlobNotFound")

    def _signature(self) -> str:
        """Return what a request must be signed with.

        Source: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
        """
        url, told = urlsplit(self.path), {name.lower(): v for name, v in self.headers.items()}
        plain = ("encoding", "language", "length", "md5", "type")
        values = [told.get(f"content-{name}", "") for name in plain]
        values = ["" if value == "0" else value for value in values]
        asked = ("date", "if-modified-since", "if-match", "if-none-match", "if-unmodified-since")
        own = sorted(name for name in told if name.startswith("x-ms-"))
        query = parse_qsl(url.query, keep_blank_values=True)
        text = "\n".join(
            (
                self.command,
                *values,
                *(told.get(name, "") for name in (*asked, "range")),
                *(f"{name}:{told[name]}" for name in own),
                f"/team{url.path}",
                *(f"{name.lower()}:{value}" for name, value in sorted(query)),
            )
        )
        digest = hmac.digest(base64.b64decode(self.key), text.encode(), "sha256")
        return f"SharedKey team:{base64.b64encode(digest).decode()}"

    def _list(self, prefix: str, delimiter: str) -> None:
        files, folders = level(prefix, delimiter)
        blobs = [
            f"<Blob><Name>{escape(name)}</Name><Properties><Last-Modified>{MODIFIED}"
            f"</Last-Modified><Etag>1</Etag><Content-Length>{len(FILES[name])}</Content-Length>"
            "<Content-Type>text/csv</Content-Type><BlobType>BlockBlob</BlobType></Properties></Blob>"
            for name in files
        ]
        prefixes = [f"<BlobPrefix><Name>{name}</Name></BlobPrefix>" for name in folders]
        listed = f"<Blobs>{''.join(blobs + prefixes)}</Blobs><NextMarker/>"
        body = f'<EnumerationResults ContainerName="data">{listed}</EnumerationResults>'
        self.send(body.encode(), Content_Type="application/xml")


class Google(Handler):
    """The bucket ``data``; ``key`` is the public key of the account that may read it, in PEM."""

    key: ClassVar[str] = ""

    def do_POST(self) -> None:
        """Give a token to who has the private key.

        Source: https://developers.google.com/identity/protocols/oauth2/service-account
        """
        from google.auth import jwt

        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        try:
            jwt.decode(form["assertion"], certs=self.key)
        except (KeyError, ValueError) as error:
            self.send_json({"error": "invalid_grant", "error_description": str(error)}, 400)
            return
        self.send_json({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})

    def answer(self, path: str, query: Mapping[str, str]) -> None:
        name = path.partition("/b/data/o")[2].lstrip("/")
        if self.key and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.send_json({"error": {"code": 401, "message": "Login Required."}}, 401)
        elif CLOSED in (name, query.get("prefix", "").rstrip("/")):
            self.send_json({"error": {"code": 403, "message": "He has no access."}}, 403)
        elif not name:
            files, folders = level(query.get("prefix", ""), query.get("delimiter", ""))
            self.send_json({"items": [self._about(one) for one in files], "prefixes": folders})
        elif name not in FILES:
            self.send_json({"error": {"code": 404, "message": "No such object"}}, 404)
        elif "/download/" in path or query.get("alt") == "media":
            self.send_file(FILES[name])
        else:
            self.send_json(self._about(name))

    def _about(self, name: str) -> dict[str, str]:
        digest = base64.b64encode(hashlib.md5(FILES[name], usedforsecurity=False).digest())
        link = f"http://{self.headers['Host']}/download/storage/v1/b/data/o/{name}"
        return {
            "kind": "storage#object",
            "name": name,
            "bucket": "data",
            "size": str(len(FILES[name])),
            "md5Hash": digest.decode(),
            "generation": "1",
            "mediaLink": link,
        }


class Hub(Handler):
    """The model ``team/net``."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = json.loads(body) if body.startswith("{") else parse_qs(body)
        self.send_json(
            [one for path in asked["paths"] for one in self._entries() if one["path"] == path]
        )

    def answer(self, path: str, query: Mapping[str, str]) -> None:
        if path.startswith("/team/net/resolve/"):
            name = path.split("/resolve/", 1)[1].split("/", 1)[1]
            if name in FILES:
                self.send_file(FILES[name], ETag='"1"', X_Repo_Commit=OID)
            else:
                self.send(b"", 404, X_Error_Code="EntryNotFound")
        elif path.startswith("/api/models/team/net/tree/"):
            self._tree(path.split("/tree/", 1)[1].partition("/")[2], query)
        elif path.startswith("/api/models/team/net"):
            self.send_json({"id": "team/net", "sha": OID, "siblings": []})
        else:
            self.send_json({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")

    def _tree(self, folder: str, query: Mapping[str, str]) -> None:
        root = f"{folder}/" if folder else ""
        found = [one for one in self._entries() if one["path"].startswith(root)]
        if query.get("recursive", "").lower() != "true":
            found = [one for one in found if "/" not in one["path"][len(root) :]]
        self.send_json(found)

    def _entries(self) -> list[dict[str, Any]]:
        folders = {name.rsplit("/", depth)[0] for name in FILES for depth in (1, 2)} - set(FILES)
        return [
            *({"type": "directory", "path": path, "oid": OID} for path in sorted(folders)),
            *(
                {"type": "file", "path": path, "size": len(data), "oid": OID}
                for path, data in FILES.items()
            ),
        ]


@contextmanager
def serve(handler: type[Handler]) -> Iterator[str]:
    """Serve on loopback, and yield the server's URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
