"""What the S3 APIs of Google and of Alibaba take and refuse, before a plain S3 server on loopback.

A request has to be signed by version 4 for the very host and path that it comes to. It is signed
again for the server behind, which finds buckets in paths. Sources:
https://docs.cloud.google.com/storage/docs/interoperability,
https://www.alibabacloud.com/help/en/oss/developer-reference/compatibility-with-amazon-s3,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import http.client
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Any, ClassVar
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.unit.runtime.cloud_servers import Handler

ACCESS, SECRET = "GOOG1EXAMPLE", "of the HMAC key"
"""What opens both of them."""
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,]+)/([0-9]{8}/[^/,]+/s3/aws4_request), ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)
_PASSED_ON = ("Content-Type", "Range")
_PASSED_BACK = ("Accept-Ranges", "Content-Range", "Content-Type", "ETag", "Last-Modified")
_DIGEST = re.compile(rb"\b[0-9a-fA-F]{32}\b")


class RefusedError(Exception):
    """A status, and S3's word for why."""


@contextmanager
def names_of_test() -> Iterator[None]:
    """Have every name beneath ``test`` be this machine's, as a hosts file would."""
    real = socket.getaddrinfo

    def resolved(host: Any, *rest: Any, **options: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith(".test") else host, *rest, **options)

    socket.getaddrinfo = resolved
    try:
        yield
    finally:
        socket.getaddrinfo = real


@dataclass(frozen=True)
class Behind:
    """The server behind, on loopback, with its root credential."""

    port: int
    access: str = "key"
    secret: str = "secret"

    def ask(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Message, bytes]:
        """Return the status, the headers and the body of its answer to a signed request."""
        request = AWSRequest(
            method, f"http://127.0.0.1:{self.port}{target}", dict(headers or {}), data=body
        )
        S3SigV4Auth(Credentials(self.access, self.secret), "s3", "us-east-1").add_auth(request)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, target, body, dict(request.headers.items()))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


class Front(Handler):
    """Takes what is signed, without checksums of AWS' own."""

    behind: ClassVar[Behind]

    def do_GET(self) -> None:  # noqa: N802 - as the base class calls it
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        try:
            self.check(body)
            path = self.place(url.path)
            target = f"{path}?{url.query}" if url.query else path
            headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
            answer = self.behind.ask(self.command, target, self.taken(body), headers)
        except RefusedError as refused:
            status, code = refused.args
            self.send(f"<Error><Code>{code}</Code></Error>".encode(), status)
            return
        self.give(*answer)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - as the base class calls them

    def place(self, path: str) -> str:
        """Return the path by which the server behind knows what is asked for."""
        return path

    def taken(self, body: bytes) -> bytes:
        """Return a body as the server behind is told it."""
        return body

    def given(self, text: bytes) -> bytes:
        """Return a header or a body of XML as it is answered."""
        return text

    def give(self, status: int, headers: Message, body: bytes) -> None:
        self.send_response(status)
        for name in _PASSED_BACK:
            if name in headers:
                text = headers[name]
                self.send_header(name, self.given(text.encode()).decode())
        is_xml = "xml" in headers.get("Content-Type", "") and "?" in self.path
        body = self.given(body) if is_xml else body
        size = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", size)
        self.end_headers()
        self.wfile.write(body)

    def check(self, body: bytes) -> None:
        told = self.headers.get("x-amz-content-sha256", "")
        extra = {"x-amz-trailer", "x-amz-sdk-checksum-algorithm", "content-encoding"}
        names = {name.lower() for name in self.headers}
        if told.startswith("STREAMING-") or extra & names:
            raise RefusedError(400, "InvalidArgument")
        if any(name.startswith("x-amz-checksum-") for name in names):
            raise RefusedError(400, "InvalidArgument")
        found = _AUTHORIZATION.fullmatch(self.headers.get("Authorization", ""))
        if found is None or found[1] != ACCESS:
            raise RefusedError(403, "InvalidAccessKeyId")
        if told != "UNSIGNED-PAYLOAD" and told != hashlib.sha256(body).hexdigest():
            raise RefusedError(400, "XAmzContentSHA256Mismatch")
        if not hmac.compare_digest(found[4], self._signature(found[2], found[3], told)):
            raise RefusedError(403, "SignatureDoesNotMatch")

    def _signature(self, scope: str, names: str, digest: str) -> str:
        url = urlsplit(self.path)
        pairs = (one if "=" in one else f"{one}=" for one in url.query.split("&") if one)
        headers = (f"{name}:{' '.join(self.headers[name].split())}" for name in names.split(";"))
        parts = (self.command, url.path, "&".join(sorted(pairs)), *headers, "", names, digest)
        canonical = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        text = "\n".join(("AWS4-HMAC-SHA256", self.headers["x-amz-date"], scope, canonical))
        key = f"AWS4{SECRET}".encode()
        for part in (*scope.split("/"), text):
            key = hmac.digest(key, part.encode(), "sha256")
        return key.hex()


class Interoperable(Front):
    """Google's: buckets in paths, and no list of many keys to delete."""

    def place(self, path: str) -> str:
        if self.command == "POST" and urlsplit(self.path).query.startswith("delete"):
            raise RefusedError(501, "NotImplemented")
        return path


class Oss(Front):
    """Alibaba's: buckets in hosts, ETags in capitals, and no list of unfinished uploads."""

    host: ClassVar[str] = "oss.test"

    def place(self, path: str) -> str:
        name = self.headers.get("Host", "").partition(":")[0]
        bucket = name.removesuffix(f".{self.host}")
        if bucket == name:
            raise RefusedError(403, "SecondLevelDomainForbidden")
        if self.command == "GET" and re.search(r"\buploads\b", urlsplit(self.path).query):
            raise RefusedError(501, "NotImplemented")
        return f"/{bucket}{path}"

    def taken(self, body: bytes) -> bytes:
        if self.command == "POST":
            return _DIGEST.sub(lambda found: found[0].lower(), body)
        return body

    def given(self, text: bytes) -> bytes:
        return _DIGEST.sub(lambda found: found[0].upper(), text)
