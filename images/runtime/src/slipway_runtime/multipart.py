"""A large file on its way into S3, in parts that outlast what breaks it off.

S3 keeps the parts of an upload until it is completed or aborted, and tells which it has. So the
server itself is the memory: a try after an outage, or that of another process, goes on with the
upload that is there for the key. A part's ETag is the MD5 of its bytes, so one that differs (of an
earlier try with other content, or of a server whose ETags are something else) is sent anew.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

import contextlib
import hashlib
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONCURRENCY = 2
"""Parts on their way at a time; bounds the memory together with a part's size."""
_NOTHING_TOLD = frozenset({"AccessDenied", "NotImplemented", "MethodNotAllowed"})
"""Codes of servers and keys that do not let unfinished uploads be listed."""

Tags = Mapping[int, tuple[int, str]]
"""Size in bytes and ETag of parts, by their numbers from 1 on."""


class UntoldError(Exception):
    """The server does not tell which uploads are unfinished."""


@dataclass(frozen=True)
class Key:
    """An object's place in a bucket, through an s3fs file system."""

    files: Any
    bucket: str
    key: str

    def call(self, method: str, **options: Any) -> dict[str, Any]:
        """Make a request about this key."""
        found = self.files.call_s3(method, Bucket=self.bucket, Key=self.key, **options)
        return dict(found)


def put(path: Path, to: Key, chunk: int) -> None:
    """Put a local file at a key, in parts of ``chunk`` bytes; what is there is not sent again."""
    try:
        identity = _begun(to)
    except UntoldError:
        _put_at_once(path, to, chunk)
        return
    if identity is None:
        if _is_there(path, to, chunk):
            return
        identity = _begin(to)
    _complete(path, to, chunk, identity, _parts(to, identity))


def unfinished(files: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield the unfinished uploads of all keys with a prefix: ``{"Key", "UploadId", ...}``.

    Raises UntoldError where the server does not tell them, or not to these credentials.
    """
    marks: dict[str, str] = {}
    while True:
        try:
            found = files.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix, **marks)
        except Exception as error:
            if _code(error) in _NOTHING_TOLD:
                raise UntoldError from error
            raise
        yield from found.get("Uploads") or ()
        if not found.get("IsTruncated"):
            return
        marks = {
            "KeyMarker": found["NextKeyMarker"],
            "UploadIdMarker": found["NextUploadIdMarker"],
        }


def abort(files: Any, bucket: str, upload: Mapping[str, Any]) -> None:
    """Take away an unfinished upload with its parts; one that is gone is no error."""
    try:
        Key(files, bucket, upload["Key"]).call(
            "abort_multipart_upload", UploadId=upload["UploadId"]
        )
    except FileNotFoundError:
        pass
    except Exception as error:
        if _code(error) != "NoSuchUpload":
            raise


def _put_at_once(path: Path, to: Key, chunk: int) -> None:
    """Put a file where nobody could find an unfinished upload again: none is left behind."""
    identity = _begin(to)
    try:
        _complete(path, to, chunk, identity, {})
    except Exception:
        with contextlib.suppress(Exception):
            abort(to.files, to.bucket, {"Key": to.key, "UploadId": identity})
        raise


def _begun(to: Key) -> str | None:
    """Return the newest unfinished upload of a key; None for none."""
    found = [one for one in unfinished(to.files, to.bucket, to.key) if one["Key"] == to.key]
    newest = max(found, key=lambda one: str(one.get("Initiated", "")), default=None)
    return str(newest["UploadId"]) if newest else None


def _begin(to: Key) -> str:
    return str(to.call("create_multipart_upload")["UploadId"])


def _complete(path: Path, to: Key, chunk: int, identity: str, there: Tags) -> None:
    """Send the parts that are not there, and make the whole of all of them."""

    def send(number: int) -> str:
        data = _read(path, number, chunk)
        size, tag = there.get(number, (-1, ""))
        if size == len(data) and tag == _md5(data):
            return tag
        sent = to.call("upload_part", UploadId=identity, PartNumber=number, Body=data)
        return _plain(sent["ETag"])

    count = math.ceil(path.stat().st_size / chunk)
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        tags = list(pool.map(send, range(1, count + 1)))
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
    to.call("complete_multipart_upload", UploadId=identity, MultipartUpload={"Parts": parts})


def _parts(to: Key, identity: str) -> Tags:
    parts: dict[int, tuple[int, str]] = {}
    marker: dict[str, int] = {}
    while True:
        found = to.call("list_parts", UploadId=identity, **marker)
        for one in found.get("Parts") or ():
            parts[int(one["PartNumber"])] = (int(one["Size"]), _plain(one["ETag"]))
        if not found.get("IsTruncated"):
            return parts
        marker = {"PartNumberMarker": int(found["NextPartNumberMarker"])}


def _is_there(path: Path, to: Key, chunk: int) -> bool:
    """Tell whether the file is at the key already: completed, and the answer was lost."""
    try:
        found = to.call("head_object")
    except FileNotFoundError:
        return False
    size = path.stat().st_size
    if int(found["ContentLength"]) != size:
        return False
    count = math.ceil(size / chunk)
    digests = b"".join(
        hashlib.md5(_read(path, number, chunk), usedforsecurity=False).digest()
        for number in range(1, count + 1)
    )
    return _plain(found["ETag"]) == f"{_md5(digests)}-{count}"


def _read(path: Path, number: int, chunk: int) -> bytes:
    with path.open("rb") as file:
        file.seek((number - 1) * chunk)
        return file.read(chunk)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _plain(tag: str) -> str:
    return tag.strip('"')


def _code(error: Exception) -> str:
    """Return S3's error code; "" where there is none."""
    for link in (error, error.__cause__):
        response = getattr(link, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""
